//! Plans that differ from the best in kind: another root, one group or several, more or fewer copies, every foreign key kept
//! whatever that takes. All are priced alike.

use super::cost::{Cost, Price, Term};
use super::priced::PricedDomains;
use super::{Search, check_overrides, column_classes, referenced_in_vain, scope};

use crate::error::{Error, ErrorKind};
use crate::graph::Graph;
use crate::layout::Placement;
use crate::plan::Plan;
use crate::report::number::count;
use crate::{Prices, Request};

/// A plan beside others.
pub struct Alternative<'a> {
    /// In which way it is another.
    pub label: String,
    pub plan: Plan<'a>,
    /// What speaks for and against it, in numbers.
    pub because: String,
}

impl Alternative<'_> {
    pub fn cost(&self) -> Cost {
        self.plan.search.as_ref().map_or(0, |s| s.price.total())
    }
}

/// More are not asked for.
const MOST: i32 = 100;

/// How much more a foreign key is worth where all should be kept.
const KEEP_ALL: u32 = 20;

/// The best plan and others, the cheapest first; leaving everything local stands last, if there is room for it.
///
/// # Errors
/// Those of [`super::search`]; 22023 for a number of plans that makes no sense.
pub fn alternatives<'a>(
    graph: &'a Graph<'a>,
    request: &Request,
    how_many: i32,
    tick: &mut dyn FnMut(),
) -> Result<Vec<Alternative<'a>>, Error> {
    if !(1..=MOST).contains(&how_many) {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("how_many must be from 1 to {MOST}, not {how_many}"),
        ));
    }
    let how_many = how_many as usize;
    // Before names are looked up: an alternative's assignment, passed back, names columns that tables are to be given.
    let classes = column_classes(graph, request);
    let overrides = check_overrides(graph, request)?;
    let scope = scope(graph, request, &overrides)?;
    let search = Search::new(graph, request, classes, overrides, &scope, tick);
    let best = search.priced.solve(tick);
    let decided_by_name = search.rival(&best, tick);
    let first = search.plan(&best, decided_by_name, tick);
    let mut found = vec![Found { label: "best".to_owned(), choice: best.choice.clone(), cost: best.cost }];
    let mut others = Variants { search: &search, best: &best.choice, found: Vec::new() };
    others.look(tick);
    let mut rest = others.found;
    rest.sort_by(|a, b| (a.cost, &a.label).cmp(&(b.cost, &b.label)));
    for other in rest {
        if found.iter().all(|f| f.choice != other.choice) {
            found.push(other);
        }
    }
    found.truncate(how_many);
    let price = first.search.as_ref().map(|s| s.price.clone()).unwrap_or_default();
    let mut plans = vec![Alternative { label: found[0].label.clone(), because: summary(&price), plan: first }];
    for other in found.into_iter().skip(1) {
        let plan = search.plan_of(&other.choice, tick);
        let own = plan.search.as_ref().map(|s| s.price.clone()).unwrap_or_default();
        plans.push(Alternative { label: other.label, because: difference(&price, &own), plan });
    }
    Ok(plans)
}

/// A layout that was found.
struct Found {
    label: String,
    choice: Vec<usize>,
    cost: Cost,
}

/// Ways to be another plan.
struct Variants<'v, 's, 'a> {
    search: &'v Search<'s, 'a>,
    best: &'v [usize],
    found: Vec<Found>,
}

impl Variants<'_, '_, '_> {
    fn look(&mut self, tick: &mut dyn FnMut()) {
        let values = &self.search.priced.problem.values;
        let groups: std::collections::BTreeSet<usize> =
            self.best.iter().enumerate().filter_map(|(v, &value)| values[v][value].group).collect();
        let heaviest = self.search.priced.heaviest_group(self.best);
        let label = |group: usize| self.search.domains.labels[group].clone();
        if let Some(heaviest) = heaviest {
            self.restricted(
                |choice, this| match this.search.priced.heaviest_group(choice) {
                    Some(other) => format!("distributed by {} instead of {}", label(other), label(heaviest)),
                    None => format!("nothing distributed by {}", label(heaviest)),
                },
                |v, value| values[v][value].group != Some(heaviest),
                tick,
            );
            if groups.len() > 1 {
                self.restricted(
                    |_, _| format!("one group, by {}", label(heaviest)),
                    |v, value| values[v][value].group.is_none_or(|g| g == heaviest),
                    tick,
                );
            }
        }
        self.more_groups(groups.len(), tick);
        self.keep_foreign_keys(tick);
        self.copies(tick);
        let everything_local = |v: usize| self.placements(v).iter().position(|&p| p == Placement::Local);
        let local: Option<Vec<usize>> = (0..self.best.len()).map(everything_local).collect();
        if let Some(choice) = local {
            self.push("everything stays local (the baseline)".to_owned(), choice);
        }
    }

    fn placements(&self, variable: usize) -> &[Placement] {
        &self.search.domains.of[self.search.tables[variable].0]
    }

    fn push(&mut self, label: String, choice: Vec<usize>) {
        let cost = self.search.model.cost(&self.search.layout(&choice));
        if choice != self.best && !self.search.is_refused(&choice) {
            self.found.push(Found { label, choice, cost });
        }
    }

    /// The best with only some values.
    fn restricted(
        &mut self,
        label: impl Fn(&[usize], &Self) -> String,
        keep: impl Fn(usize, usize) -> bool,
        tick: &mut dyn FnMut(),
    ) {
        let Some((priced, kept)) = self.search.priced.restricted(keep) else { return };
        let solution = priced.solve(tick);
        let choice: Vec<usize> = solution.choice.iter().zip(&kept).map(|(&value, kept)| kept[value]).collect();
        let label = label(&choice, self);
        self.push(label, choice);
    }

    /// As if a group cost nothing.
    fn more_groups(&mut self, groups: usize, tick: &mut dyn FnMut()) {
        let mut priced =
            PricedDomains { problem: self.search.priced.problem.clone(), names: self.search.priced.names.clone() };
        priced.problem.group_cost = 0;
        let choice = priced.solve(tick).choice;
        let values = &priced.problem.values;
        let used: std::collections::BTreeSet<usize> =
            choice.iter().enumerate().filter_map(|(v, &value)| values[v][value].group).collect();
        if used.len() > groups {
            self.push(count(used.len(), "group"), choice);
        }
    }

    /// As if foreign keys were worth far more.
    fn keep_foreign_keys(&mut self, tick: &mut dyn FnMut()) {
        let prices = self.search.request.prices;
        let dear = Prices {
            foreign_key_worth: prices.foreign_key_worth.max(1).saturating_mul(KEEP_ALL).min(1_000_000),
            ..prices
        };
        let model = self.search.model_with(&dear);
        let priced = PricedDomains::new(&self.search.domains, &model, &self.search.tables, tick);
        let choice = priced.solve(tick).choice;
        self.push("foreign keys kept wherever that can be".to_owned(), choice);
    }

    /// Without the largest reference table; and with the largest table copied that could save a foreign key by it.
    fn copies(&mut self, tick: &mut dyn FnMut()) {
        let load = |v: usize| self.search.priced.problem.loads[v];
        let name = |v: usize| self.search.graph.table(self.search.tables[v]).name.to_string();
        let placed = |v: usize| self.placements(v)[self.best[v]];
        let largest = |all: Vec<usize>| all.into_iter().max_by_key(|&v| (load(v), std::cmp::Reverse(v)));
        let copied = largest((0..self.best.len()).filter(|&v| placed(v) == Placement::Reference).collect());
        let lost = referenced_in_vain(self.search, self.best);
        let uncopied = largest(
            (0..self.best.len())
                .filter(|&v| lost.contains(&self.search.tables[v]) && placed(v) != Placement::Reference)
                .filter(|&v| self.placements(v).contains(&Placement::Reference))
                .collect(),
        );
        let domains: Vec<Vec<Placement>> = (0..self.best.len()).map(|v| self.placements(v).to_vec()).collect();
        if let Some(table) = copied {
            let label = format!("{} is no reference table", name(table));
            let keep = |v: usize, value: usize| v != table || domains[v][value] != Placement::Reference;
            self.restricted(|_, _| label.clone(), keep, tick);
        }
        if let Some(table) = uncopied {
            let label = format!("{} a reference table: keeps foreign keys at the price of copies", name(table));
            let keep = |v: usize, value: usize| v != table || domains[v][value] == Placement::Reference;
            self.restricted(|_, _| label.clone(), keep, tick);
        }
    }
}

fn points(cost: Cost) -> String {
    format!("{:.1}", cost as f64 / super::cost::POINT as f64)
}

/// The largest parts of a price.
fn summary(price: &Price) -> String {
    let mut terms = price.by_term();
    terms.sort_by_key(|&(_, cost)| std::cmp::Reverse(cost));
    let terms: Vec<String> =
        terms.iter().take(3).map(|(term, cost)| format!("{} {}", term.as_str(), points(*cost))).collect();
    if terms.is_empty() { "costs nothing".to_owned() } else { terms.join(", ") }
}

/// What costs more and what less than in another price, the largest differences first.
fn difference(from: &Price, to: &Price) -> String {
    let of = |price: &Price, term: Term| price.charges.iter().filter(|c| c.term == term).map(|c| c.cost).sum::<Cost>();
    let mut terms: Vec<(Term, Cost)> =
        Term::ALL.into_iter().map(|t| (t, of(to, t) - of(from, t))).filter(|&(_, cost)| cost != 0).collect();
    terms.sort_by_key(|&(term, cost)| (std::cmp::Reverse(cost.abs()), term));
    let terms: Vec<String> = terms
        .iter()
        .take(4)
        .map(|(term, cost)| format!("{} {}{}", term.as_str(), if *cost > 0 { "+" } else { "" }, points(*cost)))
        .collect();
    if terms.is_empty() {
        "costs as much as the best".to_owned()
    } else {
        format!("against the best: {}", terms.join(", "))
    }
}
