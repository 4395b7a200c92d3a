//! The migration as a file for psql: what it does on top, every step with its reason, psql's own commands on lines of
//! their own.

use crate::layout::Placement;
use crate::plan::Plan;
use crate::report::number;

use super::sql::{comment, one_line};
use super::{Phase, Step, steps};

/// Width of comments.
const WIDTH: usize = 110;

/// Lines of SQL for psql. A line may end inside a quoted name that holds a newline: printed one after the other they are
/// right.
pub fn script(plan: &Plan<'_>) -> Vec<String> {
    let steps = steps(plan);
    let heading = header(plan, &steps);
    printed(&steps, heading)
}

/// The way back, likewise.
pub fn rollback_script(plan: &Plan<'_>) -> Vec<String> {
    let steps = super::rollback_steps(plan);
    let database = &plan.graph().schema.database;
    let mut lines = Vec::new();
    if steps.is_empty() {
        lines.extend(wrapped(&format!("Nothing to undo in database {database}: the plan moves nothing.")));
    } else {
        lines.extend(wrapped(&format!(
            "The way back from the migration of database {database} to Citus, made before it: the tables come back to \
             where they are now, with the keys, foreign keys, triggers and policies of now."
        )));
        lines.push("--".to_owned());
        lines.extend(wrapped(
            "Run it with psql on the coordinator, as the owner of all tables or a superuser: psql -X -d DATABASE -f \
             THIS_FILE. Rows written since the migration stay; where they break a constraint that Citus could not keep, \
             the script stops there, with nothing lost: mend them and run it again.",
        ));
        lines.push(String::new());
    }
    printed(&steps, lines)
}

fn printed(steps: &[Step], mut lines: Vec<String>) -> Vec<String> {
    if steps.is_empty() {
        return lines;
    }
    lines.push("\\set ON_ERROR_STOP on".to_owned());
    for phase in Phase::ALL {
        let of_phase: Vec<_> = steps.iter().enumerate().filter(|(_, s)| s.phase == phase).collect();
        if of_phase.is_empty() {
            continue;
        }
        lines.push(String::new());
        lines.push(format!("\\echo phase {}: {} of {} steps", phase.as_str(), of_phase.len(), steps.len()));
        for (position, step) in of_phase {
            lines.push(String::new());
            let about = step.relation.as_ref().map(|r| format!(", {r}")).unwrap_or_default();
            lines.push(comment(&format!("Step {}{about}", position + 1)));
            lines.extend(wrapped(&step.because));
            lines.extend(step.statement.split('\n').map(str::to_owned));
        }
    }
    lines
}

fn header(plan: &Plan<'_>, steps: &[Step]) -> Vec<String> {
    let database = &plan.graph().schema.database;
    if steps.is_empty() {
        return wrapped(&format!("Nothing to migrate in database {database}: every table is where the plan wants it."));
    }
    let count =
        |wanted: fn(Placement) -> bool| plan.tables.iter().filter(|t| wanted(plan.layout.placement(t.table))).count();
    let mut lines = wrapped(&format!(
        "Migration of database {database} to Citus: {} in {}, {}, {}.",
        number::count(count(Placement::is_distributed), "distributed table"),
        number::count(plan.layout.groups.len(), "colocation group"),
        number::count(count(|p| p == Placement::Reference), "reference table"),
        number::count(count(|p| p == Placement::Local), "local table"),
    ));
    lines.push("--".to_owned());
    lines.extend(wrapped(
        "Run it with psql on the coordinator, as the owner of all tables or a superuser, while nobody changes the schema: \
         psql -X -d DATABASE -f THIS_FILE. Every step is a transaction of its own and checks what must have come before \
         it. If one fails, nothing is lost: mend the cause and run the whole file again. What is done already is left \
         alone.",
    ));
    lines.extend(wrapped(
        "Until it has run to its end, what is put aside for the time being is written down in schema planned_migration; a \
         new plan made after a failure knows it too. The way back is another script, to be made before: SELECT \
         advisor.plan_distribution(format => 'rollback').",
    ));
    lines.push(String::new());
    lines
}

/// A text as comment lines of bearable length.
fn wrapped(text: &str) -> Vec<String> {
    let text = one_line(text);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        if !line.is_empty() && line.chars().count() + word.chars().count() >= WIDTH {
            lines.push(comment(&std::mem::take(&mut line)));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(comment(&line));
    }
    lines
}
