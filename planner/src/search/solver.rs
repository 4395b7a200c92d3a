//! The search itself, knowing nothing of tables: variables with a few values each, a cost for each value, a cost for each
//! pair of values of connected variables, a cost for each group used, and one for load that is not distributed.
//!
//! First a descent from several starts, then branch and bound from the best of them. The budget counts steps, never
//! seconds, so that the same input always gives the same answer.

use super::cost::Cost;

/// One value of a variable.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    pub cost: Cost,
    /// The colocation group that it uses.
    pub group: Option<usize>,
}

/// A cost for each pair of values of two variables.
#[derive(Clone, Debug)]
pub struct PairCost {
    pub a: usize,
    pub b: usize,
    /// Row by row: `costs[value of a * number of values of b + value of b]`.
    pub costs: Vec<Cost>,
}

/// The problem.
pub struct Problem<'c> {
    pub values: Vec<Vec<Value>>,
    pub pairs: Vec<PairCost>,
    /// Load of each variable, spread if its value has a group.
    pub loads: Vec<Cost>,
    pub group_cost: Cost,
    pub groups: usize,
    /// Cost of distributing this much load and no more; falls as the load grows.
    pub shortfall: &'c dyn Fn(Cost) -> Cost,
}

/// The answer: a value for each variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    pub cost: Cost,
    pub choice: Vec<usize>,
    /// Every other choice was tried or excluded by a bound.
    pub proven: bool,
    pub steps: u64,
}

/// Steps of branch and bound before the answer is given unproven.
pub const STEP_BUDGET: u64 = 400_000;

/// Rounds of improvement of one start.
const ROUNDS: usize = 40;

/// Best starts that are improved by moving two variables at once.
const FINALISTS: usize = 3;

/// The best choice, from these starts. `tick` is called often; it may unwind to cancel.
pub fn solve(problem: &Problem<'_>, starts: Vec<Vec<usize>>, tick: &mut dyn FnMut()) -> Solution {
    let neighbours = neighbours(problem);
    let mut found: Vec<(Cost, Vec<usize>)> = Vec::new();
    for start in starts {
        let mut state = State::new(problem, &neighbours, start);
        for _ in 0..ROUNDS {
            tick();
            if !state.improve_singles() {
                break;
            }
        }
        found.push((state.cost, state.choice));
    }
    found.sort();
    found.dedup();
    for candidate in found.iter_mut().take(FINALISTS) {
        let mut state = State::new(problem, &neighbours, candidate.1.clone());
        for _ in 0..ROUNDS {
            let pairs = state.improve_pairs(tick);
            if !state.improve_singles() && !pairs {
                break;
            }
        }
        *candidate = (state.cost, state.choice);
    }
    found.sort();
    let (cost, choice) = found.swap_remove(0);
    let mut search = BranchAndBound::new(problem, &neighbours, cost, choice);
    let proven = search.run(tick);
    Solution { cost: search.best_cost, choice: search.best, proven, steps: search.steps }
}

/// For each variable, the pairs that it takes part in and whether it is their `a`.
fn neighbours(problem: &Problem<'_>) -> Vec<Vec<(usize, bool)>> {
    let mut neighbours = vec![Vec::new(); problem.values.len()];
    for (i, pair) in problem.pairs.iter().enumerate() {
        neighbours[pair.a].push((i, true));
        neighbours[pair.b].push((i, false));
    }
    neighbours
}

/// A complete choice and its cost, kept up to date move by move.
struct State<'p, 'c> {
    problem: &'p Problem<'c>,
    neighbours: &'p [Vec<(usize, bool)>],
    choice: Vec<usize>,
    members: Vec<usize>,
    spread: Cost,
    cost: Cost,
}

impl<'p, 'c> State<'p, 'c> {
    fn new(problem: &'p Problem<'c>, neighbours: &'p [Vec<(usize, bool)>], choice: Vec<usize>) -> Self {
        let mut members = vec![0; problem.groups];
        let mut spread = 0;
        let mut cost = 0;
        for (variable, &value) in choice.iter().enumerate() {
            let value = problem.values[variable][value];
            cost += value.cost;
            if let Some(group) = value.group {
                members[group] += 1;
                spread += problem.loads[variable];
            }
        }
        cost += problem.group_cost * members.iter().filter(|&&m| m > 0).count() as Cost;
        cost += problem.pairs.iter().map(|p| pair_cost(problem, p, choice[p.a], choice[p.b])).sum::<Cost>();
        cost += (problem.shortfall)(spread);
        State { problem, neighbours, choice, members, spread, cost }
    }

    /// What the cost changes by if `variable` takes `value`.
    fn delta(&self, variable: usize, value: usize) -> Cost {
        let (old, new) = (self.choice[variable], value);
        if old == new {
            return 0;
        }
        let (from, to) = (self.problem.values[variable][old], self.problem.values[variable][new]);
        let mut delta = to.cost - from.cost;
        for &(pair, is_a) in &self.neighbours[variable] {
            let pair = &self.problem.pairs[pair];
            let at = |v| {
                if is_a {
                    pair_cost(self.problem, pair, v, self.choice[pair.b])
                } else {
                    pair_cost(self.problem, pair, self.choice[pair.a], v)
                }
            };
            delta += at(new) - at(old);
        }
        if from.group != to.group {
            delta -= from.group.map_or(0, |g| if self.members[g] == 1 { self.problem.group_cost } else { 0 });
            delta += to.group.map_or(0, |g| if self.members[g] == 0 { self.problem.group_cost } else { 0 });
        }
        let load = self.problem.loads[variable];
        let spread = self.spread + load * (to.group.is_some() as Cost - from.group.is_some() as Cost);
        delta + (self.problem.shortfall)(spread) - (self.problem.shortfall)(self.spread)
    }

    fn set(&mut self, variable: usize, value: usize) {
        self.cost += self.delta(variable, value);
        let (from, to) = (self.problem.values[variable][self.choice[variable]], self.problem.values[variable][value]);
        let load = self.problem.loads[variable];
        if let Some(group) = from.group {
            self.members[group] -= 1;
            self.spread -= load;
        }
        if let Some(group) = to.group {
            self.members[group] += 1;
            self.spread += load;
        }
        self.choice[variable] = value;
    }

    fn improve_singles(&mut self) -> bool {
        let mut improved = false;
        for variable in 0..self.choice.len() {
            let best = (0..self.problem.values[variable].len()).map(|v| (self.delta(variable, v), v)).min();
            if let Some((delta, value)) = best.filter(|&(delta, _)| delta < 0) {
                debug_assert!(delta < 0);
                self.set(variable, value);
                improved = true;
            }
        }
        improved
    }

    fn improve_pairs(&mut self, tick: &mut dyn FnMut()) -> bool {
        let mut improved = false;
        for pair in &self.problem.pairs {
            tick();
            let (a, b) = (pair.a, pair.b);
            let (old_a, old_b) = (self.choice[a], self.choice[b]);
            let mut best = (self.cost, old_a, old_b);
            for value_a in 0..self.problem.values[a].len() {
                self.set(a, value_a);
                for value_b in 0..self.problem.values[b].len() {
                    best = best.min((self.cost + self.delta(b, value_b), value_a, value_b));
                }
            }
            self.set(a, best.1);
            self.set(b, best.2);
            improved |= (best.1, best.2) != (old_a, old_b);
        }
        improved
    }
}

fn pair_cost(problem: &Problem<'_>, pair: &PairCost, a: usize, b: usize) -> Cost {
    pair.costs[a * problem.values[pair.b].len() + b]
}

/// Exact search: variables in order of weight, each value's cost kept up to date with what its assigned neighbours make
/// of it; a branch ends when what is assigned and the least that the rest can cost reach the best known.
struct BranchAndBound<'p, 'c> {
    problem: &'p Problem<'c>,
    neighbours: &'p [Vec<(usize, bool)>],
    order: Vec<usize>,
    position: Vec<usize>,
    /// Cost of each value given the variables assigned so far.
    costs: Vec<Vec<Cost>>,
    /// The least of each variable's `costs`.
    least: Vec<Cost>,
    /// Sum of `least` over the variables that are still open.
    rest: Cost,
    members: Vec<usize>,
    choice: Vec<usize>,
    /// Load that the variables from a position on could still spread.
    spreadable: Vec<Cost>,
    best_cost: Cost,
    best: Vec<usize>,
    steps: u64,
}

impl<'p, 'c> BranchAndBound<'p, 'c> {
    fn new(problem: &'p Problem<'c>, neighbours: &'p [Vec<(usize, bool)>], best_cost: Cost, best: Vec<usize>) -> Self {
        let mut order: Vec<usize> = (0..problem.values.len()).collect();
        order.sort_by_key(|&v| (std::cmp::Reverse((neighbours[v].len(), problem.loads[v])), v));
        let mut position = vec![0; order.len()];
        for (at, &variable) in order.iter().enumerate() {
            position[variable] = at;
        }
        let mut spreadable = vec![0; order.len() + 1];
        for at in (0..order.len()).rev() {
            let can = problem.values[order[at]].iter().any(|v| v.group.is_some());
            spreadable[at] = spreadable[at + 1] + if can { problem.loads[order[at]] } else { 0 };
        }
        let costs: Vec<Vec<Cost>> =
            problem.values.iter().map(|values| values.iter().map(|v| v.cost).collect()).collect();
        let least: Vec<Cost> = costs.iter().map(|c| minimum(c)).collect();
        BranchAndBound {
            problem,
            neighbours,
            position,
            rest: least.iter().sum(),
            costs,
            least,
            members: vec![0; problem.groups],
            choice: best.clone(),
            order,
            spreadable,
            best_cost,
            best,
            steps: 0,
        }
    }

    /// True if the search came to its end within the budget.
    fn run(&mut self, tick: &mut dyn FnMut()) -> bool {
        self.descend(0, 0, 0, tick)
    }

    fn descend(&mut self, at: usize, assigned: Cost, spread: Cost, tick: &mut dyn FnMut()) -> bool {
        self.steps += 1;
        if self.steps > STEP_BUDGET {
            return false;
        }
        if self.steps.is_multiple_of(256) {
            tick();
        }
        if at == self.order.len() {
            let cost = assigned + (self.problem.shortfall)(spread);
            if cost < self.best_cost {
                self.best_cost = cost;
                self.best.clone_from(&self.choice);
            }
            return true;
        }
        let variable = self.order[at];
        let load = self.problem.loads[variable];
        let mut values: Vec<(Cost, usize)> =
            self.costs[variable].iter().enumerate().map(|(value, &cost)| (cost, value)).collect();
        values.sort_unstable();
        self.rest -= self.least[variable];
        let mut finished = true;
        for (cost, value) in values {
            let group = self.problem.values[variable][value].group;
            let opens = group.is_some_and(|g| self.members[g] == 0);
            let assigned = assigned + cost + if opens { self.problem.group_cost } else { 0 };
            let spread = spread + if group.is_some() { load } else { 0 };
            let fixed = assigned + (self.problem.shortfall)(spread + self.spreadable[at + 1]);
            if fixed + self.rest >= self.best_cost {
                continue;
            }
            self.choice[variable] = value;
            self.propagate(variable, value, 1);
            // What the value does to its neighbours may already be too much.
            if fixed + self.rest < self.best_cost {
                if let Some(group) = group {
                    self.members[group] += 1;
                }
                finished = self.descend(at + 1, assigned, spread, tick);
                if let Some(group) = group {
                    self.members[group] -= 1;
                }
            }
            self.propagate(variable, value, -1);
            if !finished {
                break;
            }
        }
        self.rest += self.least[variable];
        finished
    }

    /// Adds (or takes back) what an assignment means for the neighbours that are still open.
    fn propagate(&mut self, variable: usize, value: usize, sign: Cost) {
        for &(pair, is_a) in &self.neighbours[variable] {
            let pair = &self.problem.pairs[pair];
            let other = if is_a { pair.b } else { pair.a };
            if self.position[other] <= self.position[variable] {
                continue;
            }
            for (other_value, cost) in self.costs[other].iter_mut().enumerate() {
                let (a, b) = if is_a { (value, other_value) } else { (other_value, value) };
                *cost += sign * pair_cost(self.problem, pair, a, b);
            }
            let least = minimum(&self.costs[other]);
            self.rest += least - self.least[other];
            self.least[other] = least;
        }
    }
}

fn minimum(costs: &[Cost]) -> Cost {
    costs.iter().min().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator, so that the property test needs no library and no luck.
    struct Lcg(u64);

    impl Lcg {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.0 >> 33) % n
        }
    }

    fn random_problem<'c>(random: &mut Lcg, shortfall: &'c dyn Fn(Cost) -> Cost) -> Problem<'c> {
        let variables = 2 + random.below(5) as usize;
        let values: Vec<Vec<Value>> = (0..variables)
            .map(|_| {
                let count = 1 + random.below(4);
                (0..count)
                    .map(|_| Value {
                        cost: random.below(50) as Cost,
                        group: Some(random.below(4) as usize).filter(|&g| g < 3),
                    })
                    .collect()
            })
            .collect();
        let mut pairs = Vec::new();
        for a in 0..variables {
            for b in a + 1..variables {
                if random.below(2) == 0 {
                    let costs = (0..values[a].len() * values[b].len()).map(|_| random.below(60) as Cost).collect();
                    pairs.push(PairCost { a, b, costs });
                }
            }
        }
        let loads = (0..variables).map(|_| random.below(100) as Cost).collect();
        Problem { values, pairs, loads, group_cost: 7, groups: 3, shortfall }
    }

    fn brute_force(problem: &Problem<'_>) -> Cost {
        let neighbours = neighbours(problem);
        let mut choice = vec![0; problem.values.len()];
        let mut best = Cost::MAX;
        loop {
            best = best.min(State::new(problem, &neighbours, choice.clone()).cost);
            let Some(next) = (0..choice.len()).find(|&v| choice[v] + 1 < problem.values[v].len()) else { return best };
            choice[..next].fill(0);
            choice[next] += 1;
        }
    }

    #[test]
    fn finds_what_trying_everything_finds() {
        let shortfall = |spread: Cost| (120 - spread).max(0);
        let mut random = Lcg(20260101);
        for _ in 0..500 {
            let problem = random_problem(&mut random, &shortfall);
            let start = vec![0; problem.values.len()];
            let solution = solve(&problem, vec![start], &mut || ());
            let neighbours = neighbours(&problem);
            assert!(solution.proven);
            assert_eq!(solution.cost, brute_force(&problem));
            assert_eq!(solution.cost, State::new(&problem, &neighbours, solution.choice.clone()).cost);
        }
    }
}
