//! A lower bound on the cost of every choice.
//!
//! What a value costs can be shifted between the variable and its pairs without changing what any choice costs: what a pair
//! takes from every value of one side, that side gets. The sum of the least of each is a bound, and sequential shifting
//! (TRW-S, Kolmogorov 2006, in its form for reparametrisations) makes it as large as a relaxation allows; on trees it is exact.
//! Groups become variables of their own, open or closed. The load that is not spread is priced by a multiplier: a shortfall of
//! so much for each unit below a target is at least any smaller price of the same units.

use super::cost::Cost;
use super::solver::{PairCost, Problem, Shortfall};

/// A problem with its costs shifted.
pub struct Shifted {
    /// Costs of the problem's variables, and behind them those of the shared groups: closed, open.
    pub values: Vec<Vec<Cost>>,
    pub pairs: Vec<PairCost>,
    /// What every choice pays besides.
    pub constant: Cost,
    /// Price of a unit of load below the target that is in the values already.
    multiplier: Cost,
    /// The bound: the constant and the least of each.
    pub bound: Cost,
}

impl Shifted {
    /// The least that is to be added for the shortfall where the spread load is within these limits.
    pub fn residual(&self, shortfall: Shortfall, least: Cost, most: Cost) -> Cost {
        let (over, under) = (least - shortfall.target, shortfall.target - most);
        match (over > 0, under > 0) {
            (true, _) => self.multiplier * over,
            (_, true) => (shortfall.slope - self.multiplier) * under,
            _ => 0,
        }
    }
}

/// Passes over all variables, there and back.
const PASSES: usize = 40;

/// Passes without a better bound after which it is taken for the best.
const PATIENCE: usize = 6;

/// Told choices that the shifted costs suggest, says what the best one known costs: there is no use in a bound beyond it.
pub type Improve<'i> = dyn FnMut(Vec<usize>, &mut dyn FnMut()) -> Cost + 'i;

/// The best bound of a few multipliers.
pub fn tighten(problem: &Problem, improve: &mut Improve<'_>, tick: &mut dyn FnMut()) -> Shifted {
    let slope = problem.shortfall.slope;
    let mut best: Option<Shifted> = None;
    for multiplier in [0, slope / 16, slope / 4, slope] {
        let mut shifted = with_multiplier(problem, multiplier);
        let (known, spread) = shifted.shift(problem, improve, tick);
        if best.as_ref().is_none_or(|b| shifted.bound > b.bound) {
            best = Some(shifted);
        }
        // Where enough is spread at this price, a higher one makes the bound no better.
        if spread >= problem.shortfall.target || best.as_ref().is_some_and(|b| b.bound >= known) {
            break;
        }
    }
    best.expect("there is a multiplier")
}

/// Whether a bound shows that every choice costs more than this.
pub fn exceeds(problem: &Problem, cost: Cost, tick: &mut dyn FnMut()) -> bool {
    tighten(problem, &mut |_, _| cost + 1, tick).bound > cost
}

/// The problem with groups as variables and the shortfall priced by a multiplier, nothing shifted yet.
fn with_multiplier(problem: &Problem, multiplier: Cost) -> Shifted {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); problem.groups];
    for (variable, values) in problem.values.iter().enumerate() {
        for group in values.iter().filter_map(|v| v.group) {
            if users[group].last() != Some(&variable) {
                users[group].push(variable);
            }
        }
    }
    let is_private = |group: usize| users[group].len() < 2;
    let mut values: Vec<Vec<Cost>> = problem
        .values
        .iter()
        .zip(&problem.loads)
        .map(|(values, load)| {
            let cost = |v: &super::solver::Value| match v.group {
                None => v.cost,
                Some(group) => v.cost - multiplier * load + if is_private(group) { problem.group_cost } else { 0 },
            };
            values.iter().map(cost).collect()
        })
        .collect();
    let mut pairs = problem.pairs.clone();
    for group in (0..problem.groups).filter(|&g| !is_private(g)) {
        let own = values.len();
        values.push(vec![0, problem.group_cost]);
        for &variable in &users[group] {
            // To use a closed group costs as much as to open it: nobody gains by leaving it closed.
            let cost = |v: &super::solver::Value| [if v.group == Some(group) { problem.group_cost } else { 0 }, 0];
            let costs = problem.values[variable].iter().flat_map(cost).collect();
            pairs.push(PairCost { a: variable, b: own, costs });
        }
    }
    let constant = multiplier * problem.shortfall.target;
    Shifted { values, pairs, constant, multiplier, bound: Cost::MIN }
}

impl Shifted {
    /// Shifts until the bound is as good as it gets, or reaches what is known. Returns that, and the load that the last choice
    /// spreads which the costs suggest.
    fn shift(&mut self, problem: &Problem, improve: &mut Improve<'_>, tick: &mut dyn FnMut()) -> (Cost, Cost) {
        let spread = |choice: &[usize]| {
            let all = choice.iter().enumerate().filter(|&(v, &value)| problem.values[v][value].group.is_some());
            all.map(|(v, _)| problem.loads[v]).sum::<Cost>()
        };
        // Groups first: they are what the rest depends on.
        let own = problem.values.len();
        let order: Vec<usize> = (own..self.values.len()).chain(0..own).collect();
        let mut position = vec![0; order.len()];
        for (at, &variable) in order.iter().enumerate() {
            position[variable] = at;
        }
        let mut incident: Vec<Vec<(usize, bool, bool)>> = vec![Vec::new(); order.len()];
        for (i, pair) in self.pairs.iter().enumerate() {
            let forward = position[pair.a] < position[pair.b];
            incident[pair.a].push((i, true, forward));
            incident[pair.b].push((i, false, !forward));
        }
        self.bound = self.sum_of_least(problem);
        let first = self.decode(&order, &incident, own);
        let mut spreads = spread(&first);
        let mut known = improve(first, tick);
        let mut best = (self.bound, self.values.clone(), self.pairs.clone());
        let mut stale = 0;
        for pass in 0..PASSES {
            if best.0 >= known || stale >= PATIENCE {
                break;
            }
            for there in [true, false] {
                for at in 0..order.len() {
                    if at.is_multiple_of(64) {
                        tick();
                    }
                    let variable = if there { order[at] } else { order[order.len() - 1 - at] };
                    self.shift_one(variable, &incident[variable], there);
                }
            }
            let bound = self.sum_of_least(problem);
            if bound > best.0 {
                best = (bound, self.values.clone(), self.pairs.clone());
                stale = 0;
            } else {
                stale += 1;
            }
            if pass.is_power_of_two() || pass == 0 {
                let choice = self.decode(&order, &incident, own);
                spreads = spread(&choice);
                known = improve(choice, tick);
            }
        }
        (self.bound, self.values, self.pairs) = best;
        self.normalise();
        (known, spreads)
    }

    /// Takes from its pairs what they cost whatever the other side is, and gives the pairs ahead their part of the sum.
    fn shift_one(&mut self, variable: usize, incident: &[(usize, bool, bool)], there: bool) {
        let (values, pairs) = (&mut self.values, &mut self.pairs);
        let count = values[variable].len();
        for &(pair, is_a, _) in incident {
            let pair = &mut pairs[pair];
            let columns = if is_a { pair.costs.len() / count } else { count };
            for (value, own) in values[variable].iter_mut().enumerate() {
                let mut least = Cost::MAX;
                let others = if is_a { columns } else { pair.costs.len() / count };
                for other in 0..others {
                    let at = if is_a { value * columns + other } else { other * columns + value };
                    least = least.min(pair.costs[at]);
                }
                for other in 0..others {
                    let at = if is_a { value * columns + other } else { other * columns + value };
                    pair.costs[at] -= least;
                }
                *own += least;
            }
        }
        let ahead = incident.iter().filter(|i| i.2 == there).count();
        let parts = ahead.max(incident.len() - ahead) as Cost;
        if ahead == 0 {
            return;
        }
        let shares: Vec<Cost> = values[variable].iter().map(|c| c.div_euclid(parts)).collect();
        for &(pair, is_a, forward) in incident {
            if forward != there {
                continue;
            }
            let pair = &mut pairs[pair];
            let others = pair.costs.len() / count;
            for (value, &share) in shares.iter().enumerate() {
                for other in 0..others {
                    let at = if is_a { value * others + other } else { other * count + value };
                    pair.costs[at] += share;
                }
                values[variable][value] -= share;
            }
        }
    }

    /// The bound as the costs stand.
    fn sum_of_least(&self, problem: &Problem) -> Cost {
        let least = |costs: &[Cost]| costs.iter().min().copied().unwrap_or(0);
        let values: Cost = self.values.iter().map(|v| least(v)).sum();
        let pairs: Cost = self.pairs.iter().map(|p| least(&p.costs)).sum();
        let all = || problem.values.iter().zip(&problem.loads);
        let spreads = |v: &&super::solver::Value| v.group.is_some();
        let most: Cost = all().filter(|(v, _)| v.iter().any(|v| v.group.is_some())).map(|(_, l)| l).sum();
        let at_least: Cost = all().filter(|(v, _)| v.iter().filter(spreads).count() == v.len()).map(|(_, l)| l).sum();
        self.constant + values + pairs + self.residual(problem.shortfall, at_least, most)
    }

    /// Puts the least of each pair into the constant.
    fn normalise(&mut self) {
        for pair in &mut self.pairs {
            let least = pair.costs.iter().min().copied().unwrap_or(0);
            pair.costs.iter_mut().for_each(|c| *c -= least);
            self.constant += least;
        }
    }

    /// A choice that the costs suggest: variable by variable the best next to those before.
    fn decode(&self, order: &[usize], incident: &[Vec<(usize, bool, bool)>], own: usize) -> Vec<usize> {
        let mut choice = vec![0; self.values.len()];
        for &variable in order {
            let count = self.values[variable].len();
            let mut costs = self.values[variable].clone();
            for &(pair, is_a, forward) in &incident[variable] {
                let pair = &self.pairs[pair];
                let others = pair.costs.len() / count;
                for (value, cost) in costs.iter_mut().enumerate() {
                    let at = |other: usize| if is_a { value * others + other } else { other * count + value };
                    *cost += if forward {
                        (0..others).map(|o| pair.costs[at(o)]).min().unwrap_or(0)
                    } else {
                        pair.costs[at(choice[if is_a { pair.b } else { pair.a }])]
                    };
                }
            }
            choice[variable] = (0..count).min_by_key(|&v| (costs[v], v)).unwrap_or(0);
        }
        choice.truncate(own);
        choice
    }
}
