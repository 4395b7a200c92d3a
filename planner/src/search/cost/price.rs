//! The price of a whole layout, by its definition: every charge, with what it is for.

use super::{Cost, CostModel, InferredRelation, Term};
use crate::graph::{EdgeId, TableId};
use crate::layout::{GroupId, Layout};

/// What is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Layout,
    Group(GroupId),
    Table(TableId),
    ForeignKey(EdgeId),
    /// The table whose column names the other, and the other.
    Relation(TableId, TableId),
}

/// One number of the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    pub term: Term,
    pub subject: Subject,
    pub cost: Cost,
}

/// What a layout costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Every charge that is not zero.
    pub charges: Vec<Charge>,
}

impl Price {
    pub fn total(&self) -> Cost {
        self.charges.iter().map(|c| c.cost).sum()
    }

    /// What each term comes to, in the order of [`Term::ALL`], those that are zero left out.
    pub fn by_term(&self) -> Vec<(Term, Cost)> {
        let of = |term| self.charges.iter().filter(|c| c.term == term).map(|c| c.cost).sum();
        Term::ALL.into_iter().map(|term| (term, of(term))).filter(|&(_, cost)| cost != 0).collect()
    }

    fn charge(&mut self, subject: Subject) -> impl FnMut(Term, Cost) {
        move |term, cost| {
            if cost != 0 {
                self.charges.push(Charge { term, subject, cost });
            }
        }
    }
}

impl CostModel<'_, '_> {
    /// Every charge of a layout: table by table, foreign key by foreign key, relation by relation, group by group. What
    /// Citus would refuse is priced as if it did not.
    pub fn price(&self, layout: &Layout<'_>) -> Price {
        let graph = self.graph;
        let mut price = Price::default();
        let mut distributed = 0;
        let mut groups = vec![false; layout.groups.len()];
        for table in graph.planned_tables() {
            self.placement(layout, table, &mut price.charge(Subject::Table(table)));
            if let Some(group) = layout.placement(table).group() {
                distributed += self.load(table);
                groups[group] = true;
            }
        }
        for (id, edge) in graph.edges.iter().enumerate() {
            self.foreign_key(layout, edge, &mut price.charge(Subject::ForeignKey(id)));
        }
        for relation in self.inferred_relations() {
            let ((table, _), (entity, _)): InferredRelation = relation;
            self.inferred_relation(layout, relation, &mut price.charge(Subject::Relation(table, entity)));
        }
        for join in &self.joins {
            self.join(layout, join, &mut price.charge(Subject::Relation(join.left, join.right)));
        }
        for group in (0..groups.len()).filter(|&g| groups[g]) {
            price.charge(Subject::Group(group))(Term::Group, self.group());
        }
        price.charge(Subject::Layout)(Term::Shortfall, self.shortfall(distributed));
        price
    }
}
