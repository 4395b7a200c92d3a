//! What the programs of `bench/` have in common: a private server, options, chance that can be repeated, medians.

pub mod options;
pub mod random;
pub mod server;
pub mod sessions;
pub mod statistics;

/// The trigger that everybody copies, behind the name of the real thing.
pub const CLASSIC: &str = include_str!("../../pgrx-tests/isolation/classic.sql");

/// What the programs fail with: a sentence.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Runs `body` and ends the program as its outcome says. The body has returned by then, so its server is gone.
pub fn run_program(body: impl FnOnce() -> Outcome<bool>) -> ! {
    match body() {
        Ok(true) => std::process::exit(0),
        Ok(false) => std::process::exit(1),
        Err(error) => {
            eprintln!("{}", sentence(error.as_ref()));
            std::process::exit(2)
        }
    }
}

/// An error with what lies behind it: `postgres` says "db error" and keeps the message one level down.
pub fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
