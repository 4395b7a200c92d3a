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
}

impl CostModel<'_, '_> {
    /// Every charge of a layout. What Citus would refuse is priced as if it did not.
    pub fn price(&self, layout: &Layout<'_>) -> Price {
        let mut price = Price::default();
        self.charge(layout, &mut |term, subject, cost| {
            if cost != 0 {
                price.charges.push(Charge { term, subject, cost });
            }
        });
        price
    }

    /// The sum of the charges of a layout.
    pub fn cost(&self, layout: &Layout<'_>) -> Cost {
        let mut sum = 0;
        self.charge(layout, &mut |_, _, cost| sum += cost);
        sum
    }

    /// Table by table, foreign key by foreign key, relation by relation, group by group.
    fn charge(&self, layout: &Layout<'_>, charge: &mut dyn FnMut(Term, Subject, Cost)) {
        let graph = self.graph;
        let mut distributed = 0;
        let mut groups = vec![false; layout.groups.len()];
        for table in graph.planned_tables() {
            self.placement(layout, table, &mut |term, cost| charge(term, Subject::Table(table), cost));
            if let Some(group) = layout.placement(table).group() {
                distributed += self.load(table);
                groups[group] = true;
            }
        }
        for (id, edge) in graph.edges.iter().enumerate() {
            self.foreign_key(layout, edge, &mut |term, cost| charge(term, Subject::ForeignKey(id), cost));
        }
        for relation in self.inferred_relations() {
            let ((table, _), (entity, _)): InferredRelation = relation;
            let subject = Subject::Relation(table, entity);
            self.inferred_relation(layout, relation, &mut |term, cost| charge(term, subject, cost));
        }
        for join in &self.joins {
            let subject = Subject::Relation(join.left, join.right);
            self.join(layout, join, &mut |term, cost| charge(term, subject, cost));
        }
        for group in (0..groups.len()).filter(|&g| groups[g]) {
            charge(Term::Group, Subject::Group(group), self.group());
        }
        charge(Term::Shortfall, Subject::Layout, self.shortfall(distributed));
    }
}
