//! A lower bound on the cost of every choice.
//!
//! What a value costs can be shifted between the variable and its pairs without changing what any choice costs: what a pair
//! takes from every value of one side, that side gets. The sum of the least of each is a bound, and sequential shifting
//! (TRW-S, Kolmogorov 2006, in its form for reparametrisations) makes it as large as a relaxation allows; on trees it is exact.
//! Groups become variables of their own, open or closed. The load that is not spread is priced by a multiplier: a shortfall of
//! so much for each unit below a target is at least any smaller price of the same units.

use super::cost::Cost;
use super::solver::{MANY, PairCost, Problem, Shortfall};

/// A problem with its costs shifted.
#[derive(Clone)]
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

/// Passes that hardly make the bound better after which it is taken for the best.
const PATIENCE: usize = 6;

/// A pass counts as one that does if it brings the bound nearer to the best known by this part of the way.
const PROGRESS: Cost = 256;

/// Costs of pairs that the passes of one multiplier look at, so that a large problem takes time in proportion to its size.
const LOOKS: usize = 500_000;

/// Passes that every problem gets.
const FEWEST_PASSES: usize = 4;

/// Passes over a problem of [`MANY`] variables, all multipliers together.
const PASSES_OF_MANY: usize = 10;

/// Told choices that the shifted costs suggest, says what the best one known costs: there is no use in a bound beyond it.
pub type Improve<'i> = dyn FnMut(Vec<usize>, &mut dyn FnMut()) -> Cost + 'i;

/// The best bound of a few multipliers.
pub fn tighten(problem: &Problem, improve: &mut Improve<'_>, tick: &mut dyn FnMut()) -> Shifted {
    if problem.values.len() > MANY {
        return approach(problem, improve, tick);
    }
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

/// The best bound of a few passes with a multiplier each, going on from where the last has left the costs: a larger one where the
/// choice that they suggest spreads less than the target, a smaller one where it spreads more, by steps that become smaller.
fn approach(problem: &Problem, improve: &mut Improve<'_>, tick: &mut dyn FnMut()) -> Shifted {
    let mut shifted = with_multiplier(problem, 0);
    let (shape, mut costs) = Shape::of(&shifted, problem.values.len());
    let mut best: Option<(Shifted, Costs)> = None;
    let (mut step, mut was_short) = (problem.shortfall.slope / 4, true);
    let mut scratch = Vec::new();
    for _ in 0..PASSES_OF_MANY {
        shape.pass(&mut costs, &mut scratch, tick);
        shifted.bound = shifted.constant + shifted.residual_of_all(problem) + shape.sum_of_least(&costs);
        if best.as_ref().is_none_or(|(b, _)| shifted.bound > b.bound) {
            best = Some((shifted.clone(), costs.clone()));
        }
        let choice = shape.decode(&costs);
        let is_short = problem.spread(&choice) < problem.shortfall.target;
        let known = improve(choice, tick);
        if best.as_ref().is_some_and(|(b, _)| b.bound >= known) {
            break;
        }
        if is_short != was_short {
            (step, was_short) = ((step / 2).max(1), is_short);
        }
        let next = if is_short { shifted.multiplier + step } else { shifted.multiplier - step };
        shifted.reprice(problem, &shape, &mut costs, next.clamp(0, problem.shortfall.slope));
    }
    let (mut best, costs) = best.expect("there is a pass");
    best.take(&shape, &costs);
    best
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

/// Costs while they are shifted, one behind the other.
#[derive(Clone)]
struct Costs {
    values: Vec<Cost>,
    pairs: Vec<Cost>,
}

/// Where the costs of a problem lie among [`Costs`].
struct Shape {
    /// Start of each variable's values, and behind them the end.
    values: Vec<usize>,
    pairs: Vec<PairShape>,
    /// Pairs of each variable, and whether the other side comes later in the order.
    incident: Vec<Vec<(usize, bool)>>,
    /// Variables in the order of the passes: groups first, since they are what the rest depends on.
    order: Vec<usize>,
    /// The problem's own variables.
    own: usize,
}

struct PairShape {
    a: usize,
    b: usize,
    start: usize,
    rows: usize,
    columns: usize,
}

impl PairShape {
    fn cells(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.rows * self.columns
    }
}

impl Shape {
    fn of(shifted: &Shifted, own: usize) -> (Shape, Costs) {
        let mut costs = Costs { values: Vec::new(), pairs: Vec::new() };
        let mut values = vec![0];
        for of_variable in &shifted.values {
            costs.values.extend_from_slice(of_variable);
            values.push(costs.values.len());
        }
        let order: Vec<usize> = (own..shifted.values.len()).chain(0..own).collect();
        let mut position = vec![0; order.len()];
        for (at, &variable) in order.iter().enumerate() {
            position[variable] = at;
        }
        let mut incident = vec![Vec::new(); order.len()];
        let mut pairs = Vec::with_capacity(shifted.pairs.len());
        for (i, pair) in shifted.pairs.iter().enumerate() {
            let columns = shifted.values[pair.b].len();
            pairs.push(PairShape {
                a: pair.a,
                b: pair.b,
                start: costs.pairs.len(),
                rows: pair.costs.len() / columns,
                columns,
            });
            costs.pairs.extend_from_slice(&pair.costs);
            let forward = position[pair.a] < position[pair.b];
            incident[pair.a].push((i, forward));
            incident[pair.b].push((i, !forward));
        }
        (Shape { values, pairs, incident, order, own }, costs)
    }

    fn values_of(&self, variable: usize) -> std::ops::Range<usize> {
        self.values[variable]..self.values[variable + 1]
    }

    /// Takes from its pairs what they cost whatever the other side is, and gives the pairs ahead their part of the sum.
    fn shift_one(&self, costs: &mut Costs, variable: usize, there: bool, least: &mut Vec<Cost>) {
        let incident = &self.incident[variable];
        let own = &mut costs.values[self.values_of(variable)];
        for &(pair, _) in incident {
            let pair = &self.pairs[pair];
            let cells = &mut costs.pairs[pair.cells()];
            if pair.a == variable {
                for (row, own) in cells.chunks_exact_mut(pair.columns).zip(own.iter_mut()) {
                    let least = minimum(row);
                    row.iter_mut().for_each(|c| *c -= least);
                    *own += least;
                }
            } else {
                least.clear();
                least.resize(pair.columns, Cost::MAX);
                for row in cells.chunks_exact(pair.columns) {
                    least.iter_mut().zip(row).for_each(|(l, c)| *l = (*l).min(*c));
                }
                for row in cells.chunks_exact_mut(pair.columns) {
                    row.iter_mut().zip(&*least).for_each(|(c, l)| *c -= l);
                }
                own.iter_mut().zip(&*least).for_each(|(own, l)| *own += l);
            }
        }
        let ahead = incident.iter().filter(|i| i.1 == there).count();
        if ahead == 0 {
            return;
        }
        let parts = ahead.max(incident.len() - ahead) as Cost;
        let shares = least;
        shares.clear();
        shares.extend(own.iter().map(|c| c.div_euclid(parts)));
        for &(pair, _) in incident.iter().filter(|i| i.1 == there) {
            let pair = &self.pairs[pair];
            let cells = &mut costs.pairs[pair.cells()];
            if pair.a == variable {
                for (row, share) in cells.chunks_exact_mut(pair.columns).zip(&*shares) {
                    row.iter_mut().for_each(|c| *c += share);
                }
            } else {
                for row in cells.chunks_exact_mut(pair.columns) {
                    row.iter_mut().zip(&*shares).for_each(|(c, share)| *c += share);
                }
            }
        }
        own.iter_mut().zip(&*shares).for_each(|(own, share)| *own -= share * ahead as Cost);
    }

    /// Shifts the costs of every variable, there and back.
    fn pass(&self, costs: &mut Costs, scratch: &mut Vec<Cost>, tick: &mut dyn FnMut()) {
        for there in [true, false] {
            for at in 0..self.order.len() {
                if at.is_multiple_of(64) {
                    tick();
                }
                let at = if there { at } else { self.order.len() - 1 - at };
                self.shift_one(costs, self.order[at], there, scratch);
            }
        }
    }

    /// The least of each variable and of each pair, added up.
    fn sum_of_least(&self, costs: &Costs) -> Cost {
        let values: Cost = (0..self.order.len()).map(|v| minimum(&costs.values[self.values_of(v)])).sum();
        let pairs: Cost = self.pairs.iter().map(|p| minimum(&costs.pairs[p.cells()])).sum();
        values + pairs
    }

    /// A choice that the costs suggest: variable by variable the best next to those before.
    fn decode(&self, costs: &Costs) -> Vec<usize> {
        let mut choice = vec![0; self.order.len()];
        let mut sums = Vec::new();
        for &variable in &self.order {
            sums.clear();
            sums.extend_from_slice(&costs.values[self.values_of(variable)]);
            for &(pair, forward) in &self.incident[variable] {
                let pair = &self.pairs[pair];
                let cells = &costs.pairs[pair.cells()];
                let row = |a: usize| &cells[a * pair.columns..][..pair.columns];
                match (pair.a == variable, forward) {
                    (true, true) => sums.iter_mut().enumerate().for_each(|(a, s)| *s += minimum(row(a))),
                    (true, false) => sums.iter_mut().enumerate().for_each(|(a, s)| *s += row(a)[choice[pair.b]]),
                    (false, true) => {
                        let least = |b: usize| (0..pair.rows).map(|a| row(a)[b]).min().unwrap_or(0);
                        sums.iter_mut().enumerate().for_each(|(b, s)| *s += least(b));
                    }
                    (false, false) => sums.iter_mut().zip(row(choice[pair.a])).for_each(|(s, c)| *s += c),
                }
            }
            choice[variable] = (0..sums.len()).min_by_key(|&v| (sums[v], v)).unwrap_or(0);
        }
        choice.truncate(self.own);
        choice
    }
}

fn minimum(costs: &[Cost]) -> Cost {
    costs.iter().min().copied().unwrap_or(0)
}

impl Shifted {
    /// Shifts until the bound is as good as it gets, or reaches what is known. Returns that, and the load that the last choice
    /// spreads which the costs suggest.
    fn shift(&mut self, problem: &Problem, improve: &mut Improve<'_>, tick: &mut dyn FnMut()) -> (Cost, Cost) {
        let (shape, mut costs) = Shape::of(self, problem.values.len());
        let base = self.constant + self.residual_of_all(problem);
        let first = shape.decode(&costs);
        let mut spreads = problem.spread(&first);
        let mut known = improve(first, tick);
        let mut best = (base + shape.sum_of_least(&costs), costs.clone());
        let mut stale = 0;
        let mut scratch = Vec::new();
        let passes = (LOOKS / costs.pairs.len().max(1)).clamp(FEWEST_PASSES, PASSES);
        for pass in 0..passes {
            if best.0 >= known || stale >= PATIENCE {
                break;
            }
            shape.pass(&mut costs, &mut scratch, tick);
            let bound = base + shape.sum_of_least(&costs);
            if bound - best.0 > (known - best.0) / PROGRESS {
                stale = 0;
            } else {
                stale += 1;
            }
            if bound > best.0 {
                best.0 = bound;
                best.1.clone_from(&costs);
            }
            if pass.is_power_of_two() || pass == 0 {
                let choice = shape.decode(&costs);
                spreads = problem.spread(&choice);
                known = improve(choice, tick);
            }
        }
        self.bound = best.0;
        self.take(&shape, &best.1);
        (known, spreads)
    }

    /// Prices the load by another multiplier, in costs that have been shifted since.
    fn reprice(&mut self, problem: &Problem, shape: &Shape, costs: &mut Costs, multiplier: Cost) {
        let more = multiplier - self.multiplier;
        for (variable, (values, load)) in problem.values.iter().zip(&problem.loads).enumerate() {
            let own = &mut costs.values[shape.values_of(variable)];
            let spreading = own.iter_mut().zip(values).filter(|(_, value)| value.group.is_some());
            spreading.for_each(|(cost, _)| *cost -= more * load);
        }
        self.constant += more * problem.shortfall.target;
        self.multiplier = multiplier;
    }

    /// What is to be added for the shortfall whatever the choice is.
    fn residual_of_all(&self, problem: &Problem) -> Cost {
        let all = || problem.values.iter().zip(&problem.loads);
        let most: Cost = all().filter(|(v, _)| v.iter().any(|v| v.group.is_some())).map(|(_, l)| l).sum();
        let least: Cost = all().filter(|(v, _)| v.iter().all(|v| v.group.is_some())).map(|(_, l)| l).sum();
        self.residual(problem.shortfall, least, most)
    }

    /// Takes shifted costs, the least of each pair as part of the constant.
    fn take(&mut self, shape: &Shape, costs: &Costs) {
        for (variable, values) in self.values.iter_mut().enumerate() {
            values.copy_from_slice(&costs.values[shape.values_of(variable)]);
        }
        for (pair, at) in self.pairs.iter_mut().zip(&shape.pairs) {
            let cells = &costs.pairs[at.cells()];
            let least = minimum(cells);
            pair.costs.iter_mut().zip(cells).for_each(|(to, from)| *to = from - least);
            self.constant += least;
        }
    }
}
