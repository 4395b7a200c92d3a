//! The search itself, knowing nothing of tables: variables with a few values each, a cost for each value, a cost for each
//! pair of values of connected variables, a cost for each group used, and one for load that is not distributed.
//!
//! First a descent from several starts. Then the bound: costs are shifted between variables and pairs, which changes no
//! layout's price, until the least of each adds up to as much as it can ([`super::bound`]). Where that is the price of the
//! best layout found, it is proven. Else what the bound excludes is left out and branch and bound tries the rest. The budget
//! counts steps, never seconds, so that the same input always gives the same answer.

use super::bound::{self, Shifted};
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
#[derive(Clone, Debug)]
pub struct Problem {
    pub values: Vec<Vec<Value>>,
    pub pairs: Vec<PairCost>,
    /// Load of each variable, spread if its value has a group.
    pub loads: Vec<Cost>,
    pub group_cost: Cost,
    pub groups: usize,
    pub shortfall: Shortfall,
}

impl Problem {
    /// Load that a choice spreads.
    pub fn spread(&self, choice: &[usize]) -> Cost {
        let all = choice.iter().enumerate().filter(|&(v, &value)| self.values[v][value].group.is_some());
        all.map(|(v, _)| self.loads[v]).sum()
    }
}

/// What it costs to spread this much load and no more: so much for each unit short of a target.
#[derive(Clone, Copy, Debug)]
pub struct Shortfall {
    pub slope: Cost,
    pub target: Cost,
}

impl Shortfall {
    pub fn of(self, spread: Cost) -> Cost {
        self.slope * (self.target - spread).max(0)
    }
}

/// The answer: a value for each variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    pub cost: Cost,
    /// No choice costs less than this.
    pub bound: Cost,
    pub choice: Vec<usize>,
    pub steps: u64,
}

impl Solution {
    /// Every other choice was tried or excluded by a bound.
    pub fn proven(&self) -> bool {
        self.bound >= self.cost
    }
}

/// Steps of branch and bound before the answer is given unproven; of a problem of [`MANY`] variables, each of whose steps takes
/// longer and which a few more do not prove, only so many.
pub const STEP_BUDGET: u64 = 100_000;
const STEP_BUDGET_OF_MANY: u64 = 5_000;

/// Rounds of improvement of one start.
const ROUNDS: usize = 40;

/// Best starts that are improved by moving two variables at once, where there are not too many to do it.
const FINALISTS: usize = 3;
pub const MANY: usize = 1_000;

/// The best choice, from these starts. `tick` is called often; it may unwind to cancel.
pub fn solve(problem: &Problem, starts: Vec<Vec<usize>>, tick: &mut dyn FnMut()) -> Solution {
    let neighbours = neighbours(problem);
    let mut best = best_descent(problem, &neighbours, starts, tick);
    let mut improve = |choice: Vec<usize>, tick: &mut dyn FnMut()| {
        let (cost, choice) = descend(problem, &neighbours, choice, tick);
        if cost < best.0 {
            best = (cost, choice);
        }
        best.0
    };
    let shifted = bound::tighten(problem, &mut improve, tick);
    let mut solution = Solution { cost: best.0, bound: shifted.bound.min(best.0), choice: best.1, steps: 0 };
    if !solution.proven() {
        BranchAndBound::new(problem, &shifted, &mut solution).run(tick);
    }
    solution.choice = settle(problem, &neighbours, solution.choice, tick);
    solution
}

/// Of choices that cost the same, the one in which each variable has the first value that it can have, whatever way led there:
/// what is taken out of a problem then leaves alone what does not hang on it.
fn settle(
    problem: &Problem,
    neighbours: &[Vec<(usize, bool)>],
    choice: Vec<usize>,
    tick: &mut dyn FnMut(),
) -> Vec<usize> {
    let mut state = State::new(problem, neighbours, choice);
    for _ in 0..ROUNDS {
        let mut moved = false;
        for variable in 0..state.choice.len() {
            if variable.is_multiple_of(256) {
                tick();
            }
            let first = (0..state.choice[variable]).find(|&v| state.delta(variable, v) <= 0);
            if let Some(value) = first {
                state.set(variable, value);
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    state.choice
}

/// A choice that no move of one variable improves, the best of those that these starts lead to.
pub fn descend_from(problem: &Problem, starts: Vec<Vec<usize>>, tick: &mut dyn FnMut()) -> Solution {
    let (cost, choice) = best_descent(problem, &neighbours(problem), starts, tick);
    Solution { cost, bound: Cost::MIN, choice, steps: 0 }
}

fn best_descent(
    problem: &Problem,
    neighbours: &[Vec<(usize, bool)>],
    starts: Vec<Vec<usize>>,
    tick: &mut dyn FnMut(),
) -> (Cost, Vec<usize>) {
    let mut found: Vec<(Cost, Vec<usize>)> = Vec::new();
    for start in starts {
        found.push(descend(problem, neighbours, start, tick));
    }
    found.sort();
    found.dedup();
    let finalists = if problem.values.len() > MANY { 1 } else { FINALISTS };
    for candidate in found.iter_mut().take(finalists) {
        let mut state = State::new(problem, neighbours, candidate.1.clone());
        for _ in 0..ROUNDS {
            let pairs = state.improve_pairs(tick);
            if !state.improve_singles(tick) && !pairs {
                break;
            }
        }
        *candidate = (state.cost, state.choice);
    }
    found.into_iter().min().expect("there is a start")
}

fn descend(
    problem: &Problem,
    neighbours: &[Vec<(usize, bool)>],
    start: Vec<usize>,
    tick: &mut dyn FnMut(),
) -> (Cost, Vec<usize>) {
    let mut state = State::new(problem, neighbours, start);
    for _ in 0..ROUNDS {
        if !state.improve_singles(tick) {
            break;
        }
    }
    (state.cost, state.choice)
}

/// For each variable, the pairs that it takes part in and whether it is their `a`.
pub fn neighbours(problem: &Problem) -> Vec<Vec<(usize, bool)>> {
    let mut neighbours = vec![Vec::new(); problem.values.len()];
    for (i, pair) in problem.pairs.iter().enumerate() {
        neighbours[pair.a].push((i, true));
        neighbours[pair.b].push((i, false));
    }
    neighbours
}

/// A complete choice and its cost, kept up to date move by move.
struct State<'p> {
    problem: &'p Problem,
    neighbours: &'p [Vec<(usize, bool)>],
    choice: Vec<usize>,
    /// What each value of each variable costs next to the values that its neighbours have: a table that thousands reference
    /// is weighed as quickly as any other.
    costs: Vec<Vec<Cost>>,
    /// Variables that use each group.
    members: Vec<usize>,
    spread: Cost,
    cost: Cost,
}

impl<'p> State<'p> {
    fn new(problem: &'p Problem, neighbours: &'p [Vec<(usize, bool)>], choice: Vec<usize>) -> Self {
        let mut members = vec![0; problem.groups];
        let (mut spread, mut cost) = (0, 0);
        let mut costs: Vec<Vec<Cost>> = problem.values.iter().map(|v| v.iter().map(|v| v.cost).collect()).collect();
        for (variable, &value) in choice.iter().enumerate() {
            let value = problem.values[variable][value];
            cost += value.cost;
            if let Some(group) = value.group {
                members[group] += 1;
                spread += problem.loads[variable];
            }
        }
        for pair in &problem.pairs {
            let (a, b) = (choice[pair.a], choice[pair.b]);
            cost += pair_cost(problem, pair, a, b);
            costs[pair.a].iter_mut().enumerate().for_each(|(v, c)| *c += pair_cost(problem, pair, v, b));
            costs[pair.b].iter_mut().enumerate().for_each(|(v, c)| *c += pair_cost(problem, pair, a, v));
        }
        cost += problem.group_cost * members.iter().filter(|&&m| m > 0).count() as Cost;
        cost += problem.shortfall.of(spread);
        State { problem, neighbours, choice, costs, members, spread, cost }
    }

    /// What the cost changes by if `variable` takes `value`.
    fn delta(&self, variable: usize, value: usize) -> Cost {
        let old = self.choice[variable];
        if old == value {
            return 0;
        }
        let (from, to) = (self.problem.values[variable][old], self.problem.values[variable][value]);
        let mut delta = self.costs[variable][value] - self.costs[variable][old];
        if from.group != to.group {
            delta -= from.group.map_or(0, |g| if self.members[g] == 1 { self.problem.group_cost } else { 0 });
            delta += to.group.map_or(0, |g| if self.members[g] == 0 { self.problem.group_cost } else { 0 });
        }
        let load = self.problem.loads[variable];
        let spread = self.spread + load * (to.group.is_some() as Cost - from.group.is_some() as Cost);
        delta + self.problem.shortfall.of(spread) - self.problem.shortfall.of(self.spread)
    }

    fn set(&mut self, variable: usize, value: usize) {
        let old = self.choice[variable];
        if old == value {
            return;
        }
        self.cost += self.delta(variable, value);
        self.regroup(variable, old, value);
        self.choice[variable] = value;
        for &(pair, is_a) in &self.neighbours[variable] {
            let pair = &self.problem.pairs[pair];
            let other = if is_a { pair.b } else { pair.a };
            let at =
                |v, o| if is_a { pair_cost(self.problem, pair, v, o) } else { pair_cost(self.problem, pair, o, v) };
            self.costs[other].iter_mut().enumerate().for_each(|(o, c)| *c += at(value, o) - at(old, o));
        }
    }

    /// Counts a variable with the group of one value instead of that of another.
    fn regroup(&mut self, variable: usize, from: usize, to: usize) {
        let load = self.problem.loads[variable];
        if let Some(group) = self.problem.values[variable][from].group {
            self.members[group] -= 1;
            self.spread -= load;
        }
        if let Some(group) = self.problem.values[variable][to].group {
            self.members[group] += 1;
            self.spread += load;
        }
    }

    fn improve_singles(&mut self, tick: &mut dyn FnMut()) -> bool {
        let mut improved = false;
        for variable in 0..self.choice.len() {
            if variable.is_multiple_of(256) {
                tick();
            }
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
            // Between two tables that reference each other there are two pairs.
            let few = if self.neighbours[a].len() < self.neighbours[b].len() { a } else { b };
            let between = self.neighbours[few].iter().map(|&(pair, _)| &self.problem.pairs[pair]);
            let between: Vec<&PairCost> = between.filter(|p| [(a, b), (b, a)].contains(&(p.a, p.b))).collect();
            let joint = |value_a: usize, value_b: usize| -> Cost {
                let cost = |p: &PairCost| match p.a == a {
                    true => pair_cost(self.problem, p, value_a, value_b),
                    false => pair_cost(self.problem, p, value_b, value_a),
                };
                between.iter().map(|p| cost(p)).sum()
            };
            let mut best = (self.cost, old_a, old_b);
            let mut moves = Vec::new();
            for value_a in 0..self.problem.values[a].len() {
                // What the pair costs is in the costs of both, each next to the other's old value.
                let together = |value_b| {
                    joint(value_a, value_b) - joint(value_a, old_b) - joint(old_a, value_b) + joint(old_a, old_b)
                };
                moves.clear();
                moves.extend((0..self.problem.values[b].len()).map(together));
                let cost = self.cost + self.delta(a, value_a);
                self.regroup(a, old_a, value_a);
                for (value_b, together) in moves.iter().enumerate() {
                    best = best.min((cost + self.delta(b, value_b) + together, value_a, value_b));
                }
                self.regroup(a, value_a, old_a);
            }
            self.set(a, best.1);
            self.set(b, best.2);
            improved |= (best.1, best.2) != (old_a, old_b);
        }
        improved
    }
}

pub fn pair_cost(problem: &Problem, pair: &PairCost, a: usize, b: usize) -> Cost {
    pair.costs[a * problem.values[pair.b].len() + b]
}

/// Exact search over what the bound has left: variables in order of their number of neighbours, each value's cost kept up to
/// date with what its assigned neighbours make of it; a branch ends when what is assigned and the least that the rest can cost
/// reach the best known.
struct BranchAndBound<'s> {
    problem: &'s Problem,
    shifted: &'s Shifted,
    solution: &'s mut Solution,
    budget: u64,
    /// Pairs of each variable and whether it is their `a`.
    neighbours: Vec<Vec<(usize, bool)>>,
    /// Values of each variable that may be part of something better.
    open: Vec<Vec<usize>>,
    /// Variables with more than one such value, those with most neighbours first.
    order: Vec<usize>,
    /// Whether a variable has its value.
    assigned: Vec<bool>,
    /// Cost of each value given the variables assigned so far.
    costs: Vec<Vec<Cost>>,
    /// The least of each variable's `costs`.
    least: Vec<Cost>,
    /// Sum of `least` over the variables that are still open.
    rest: Cost,
    choice: Vec<usize>,
    /// Load that the variables from a position of the order on spread at least, and at most.
    spread_after: Vec<(Cost, Cost)>,
}

impl<'s> BranchAndBound<'s> {
    fn new(problem: &'s Problem, shifted: &'s Shifted, solution: &'s mut Solution) -> Self {
        let open: Vec<Vec<usize>> = shifted
            .values
            .iter()
            .map(|costs| {
                let least = minimum(costs);
                let may = |v: &usize| shifted.bound + costs[*v] - least < solution.cost;
                (0..costs.len()).filter(may).collect()
            })
            .collect();
        let mut neighbours = vec![Vec::new(); shifted.values.len()];
        for (i, pair) in shifted.pairs.iter().enumerate() {
            neighbours[pair.a].push((i, true));
            neighbours[pair.b].push((i, false));
        }
        let mut order: Vec<usize> = (0..open.len()).filter(|&v| open[v].len() > 1).collect();
        let load = |v: usize| problem.loads.get(v).copied().unwrap_or(0);
        order.sort_by_key(|&v| (std::cmp::Reverse((neighbours[v].len(), load(v))), v));
        let costs = shifted.values.clone();
        let least: Vec<Cost> = (0..costs.len()).map(|v| least_of(&costs[v], &open[v])).collect();
        let mut search = BranchAndBound {
            problem,
            shifted,
            neighbours,
            assigned: vec![false; open.len()],
            rest: least.iter().sum(),
            costs,
            least,
            choice: open.iter().map(|o| o.first().copied().unwrap_or(0)).collect(),
            spread_after: Vec::new(),
            open,
            order,
            solution,
            budget: if problem.values.len() > MANY { STEP_BUDGET_OF_MANY } else { STEP_BUDGET },
        };
        search.spread_after = search.spreads();
        search
    }

    /// Searches within the budget; what it has proven is in the solution.
    fn run(&mut self, tick: &mut dyn FnMut()) {
        // Nothing that costs less has any value of such a variable.
        let mut finished = self.open.iter().all(|o| !o.is_empty());
        if finished {
            let fixed: Vec<usize> = (0..self.open.len()).filter(|&v| self.open[v].len() == 1).collect();
            let (mut cost, mut spread) = (self.shifted.constant, 0);
            for variable in fixed {
                let value = self.open[variable][0];
                self.rest -= self.least[variable];
                cost += self.costs[variable][value];
                spread += self.spread(variable, value);
                self.assigned[variable] = true;
                self.propagate(variable, value, 1);
            }
            finished = self.descend(0, cost, spread, tick);
        } else {
            finished = true;
        }
        if finished {
            self.solution.bound = self.solution.cost;
        }
    }

    /// Load that a value spreads; the variables behind the problem's own are groups and have none.
    fn spread(&self, variable: usize, value: usize) -> Cost {
        match self.problem.values.get(variable) {
            Some(values) if values[value].group.is_some() => self.problem.loads[variable],
            _ => 0,
        }
    }

    fn spreads(&self) -> Vec<(Cost, Cost)> {
        let mut after = vec![(0, 0); self.order.len() + 1];
        for at in (0..self.order.len()).rev() {
            let variable = self.order[at];
            let all = || self.open[variable].iter().map(|&v| self.spread(variable, v));
            let (least, most) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
            after[at] = (after[at + 1].0 + least, after[at + 1].1 + most);
        }
        after
    }

    fn descend(&mut self, at: usize, assigned: Cost, spread: Cost, tick: &mut dyn FnMut()) -> bool {
        self.solution.steps += 1;
        if self.solution.steps > self.budget {
            return false;
        }
        if self.solution.steps.is_multiple_of(256) {
            tick();
        }
        if at == self.order.len() {
            let cost = assigned + self.shifted.residual(self.problem.shortfall, spread, spread);
            if cost < self.solution.cost {
                self.solution.cost = cost;
                self.solution.choice.copy_from_slice(&self.choice[..self.problem.values.len()]);
            }
            return true;
        }
        let variable = self.order[at];
        let mut values: Vec<(Cost, usize)> =
            self.open[variable].iter().map(|&value| (self.costs[variable][value], value)).collect();
        values.sort_unstable();
        self.rest -= self.least[variable];
        self.assigned[variable] = true;
        let (after_least, after_most) = self.spread_after[at + 1];
        let mut finished = true;
        for (cost, value) in values {
            let assigned = assigned + cost;
            let spread = spread + self.spread(variable, value);
            let residual = self.shifted.residual(self.problem.shortfall, spread + after_least, spread + after_most);
            let fixed = assigned + residual;
            if fixed + self.rest >= self.solution.cost {
                continue;
            }
            self.choice[variable] = value;
            self.propagate(variable, value, 1);
            // What the value does to its neighbours may already be too much.
            if fixed + self.rest < self.solution.cost {
                finished = self.descend(at + 1, assigned, spread, tick);
            }
            self.propagate(variable, value, -1);
            if !finished {
                break;
            }
        }
        self.assigned[variable] = false;
        self.rest += self.least[variable];
        finished
    }

    /// Adds (or takes back) what an assignment means for the neighbours that are still open.
    fn propagate(&mut self, variable: usize, value: usize, sign: Cost) {
        for &(pair, is_a) in &self.neighbours[variable] {
            let pair = &self.shifted.pairs[pair];
            let other = if is_a { pair.b } else { pair.a };
            if self.assigned[other] {
                continue;
            }
            let columns = self.shifted.values[pair.b].len();
            let costs = &mut self.costs[other];
            for &other_value in &self.open[other] {
                let (a, b) = if is_a { (value, other_value) } else { (other_value, value) };
                costs[other_value] += sign * pair.costs[a * columns + b];
            }
            let least = least_of(costs, &self.open[other]);
            self.rest += least - self.least[other];
            self.least[other] = least;
        }
    }
}

fn minimum(costs: &[Cost]) -> Cost {
    costs.iter().min().copied().unwrap_or(0)
}

fn least_of(costs: &[Cost], open: &[usize]) -> Cost {
    open.iter().map(|&v| costs[v]).min().unwrap_or(0)
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

    fn random_problem(random: &mut Lcg) -> Problem {
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
        let shortfall = Shortfall { slope: 1 + random.below(4) as Cost, target: 120 };
        Problem { values, pairs, loads, group_cost: 7, groups: 3, shortfall }
    }

    fn brute_force(problem: &Problem) -> Cost {
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
        let mut random = Lcg(20260101);
        for _ in 0..2_000 {
            let problem = random_problem(&mut random);
            let start = vec![0; problem.values.len()];
            let solution = solve(&problem, vec![start], &mut || ());
            let neighbours = neighbours(&problem);
            assert!(solution.proven());
            assert_eq!(solution.cost, brute_force(&problem));
            assert_eq!(solution.cost, State::new(&problem, &neighbours, solution.choice.clone()).cost);
        }
    }
}
