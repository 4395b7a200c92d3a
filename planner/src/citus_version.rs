//! The Citus release to plan for.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// `major.minor.patch`; a part that was not said is the latest there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CitusVersion {
    major: u16,
    minor: u16,
    patch: u16,
}

/// Stands for a part that was not said.
const LATEST: u16 = u16::MAX;

/// What is planned for where no Citus is installed and nobody said otherwise.
pub const ASSUMED: CitusVersion = CitusVersion { major: 13, minor: 2, patch: LATEST };

/// The releases whose source the rules were read from.
const KNOWN: (CitusVersion, CitusVersion) =
    (CitusVersion::new(12, 1, 0), CitusVersion { major: 14, minor: 0, patch: LATEST });

impl CitusVersion {
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        CitusVersion { major, minor, patch }
    }

    /// A sentence where the rules were not read from the source of this release.
    pub fn caution(self) -> Option<String> {
        (self < KNOWN.0 || self > KNOWN.1)
            .then(|| format!("The rules were read from Citus 12.1 to 14.0; Citus {self} may differ."))
    }

    /// The version to plan for: what was asked for, else what is installed (`13.2-1`), else [`ASSUMED`].
    pub fn of(asked: Option<&str>, installed: Option<&str>) -> Self {
        let parse = |text: &str| text.split('-').next().unwrap_or_default().parse().ok();
        asked.and_then(parse).or_else(|| installed.and_then(parse)).unwrap_or(ASSUMED)
    }
}

impl FromStr for CitusVersion {
    type Err = Error;

    /// Reads `14`, `13.2` or `13.2.2`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |detail: &str| {
            let message = format!("invalid Citus version \"{text}\"");
            Error::new(ErrorKind::InvalidParameter, message)
                .detail(detail)
                .hint("Write a release such as 13.2 or 13.2.2; empty for the server's.")
        };
        let mut parts = Vec::new();
        for part in text.split('.') {
            let digits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            let number: Option<u16> = if digits { part.parse().ok() } else { None };
            parts.push(number.ok_or_else(|| refuse("It is not of the form major.minor.patch."))?);
        }
        let (major, minor, patch) = match parts[..] {
            [major] => (major, LATEST, LATEST),
            [major, minor] => (major, minor, LATEST),
            [major, minor, patch] => (major, minor, patch),
            _ => return Err(refuse("It is not of the form major.minor.patch.")),
        };
        // Before that, and far beyond it, nothing is as the rules say.
        if !(10..=99).contains(&major) {
            return Err(refuse("The major version must be from 10 to 99."));
        }
        Ok(CitusVersion { major, minor, patch })
    }
}

impl fmt::Display for CitusVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.minor, self.patch) {
            (LATEST, _) => write!(f, "{}", self.major),
            (minor, LATEST) => write!(f, "{}.{minor}", self.major),
            (minor, patch) => write!(f, "{}.{minor}.{patch}", self.major),
        }
    }
}

/// Releases from the first up to, and without, the second; absent for no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Releases {
    pub since: Option<CitusVersion>,
    pub until: Option<CitusVersion>,
}

impl Releases {
    pub fn include(&self, version: CitusVersion) -> bool {
        self.since.is_none_or(|since| version >= since) && self.until.is_none_or(|until| version < until)
    }
}

impl fmt::Display for Releases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.since, self.until) {
            (Some(since), Some(until)) => write!(f, "from {since}, until {until} changed it"),
            (Some(since), None) => write!(f, "from {since} on"),
            (None, Some(until)) => write!(f, "until {until} changed it"),
            (None, None) => f.write_str("all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        text.parse::<CitusVersion>().map(|v| v.to_string()).map_err(|e| e.message)
    }

    #[test]
    fn reads_releases() {
        assert_eq!(read("13.2").unwrap(), "13.2");
        assert_eq!(read("13.2.2").unwrap(), "13.2.2");
        assert_eq!(read("14").unwrap(), "14");
        for wrong in ["", "banana", "13.", ".2", "13.2.2.1", "-1", "13.2-1", "9.5", "100", "13.2 ", "１３", "0013"] {
            assert_eq!(read(wrong), Err(format!("invalid Citus version \"{wrong}\"")));
        }
    }

    #[test]
    fn what_was_not_said_is_the_latest() {
        let version = |text: &str| text.parse::<CitusVersion>().unwrap();
        assert!(version("13.2") > version("13.2.2"));
        assert!(version("13") > version("13.2") && version("13") < version("14.0.0"));
        assert_eq!(CitusVersion::of(None, None), ASSUMED);
        assert_eq!(CitusVersion::of(None, Some("12.1-1")), version("12.1"));
        assert_eq!(CitusVersion::of(Some("14.0.1"), Some("12.1-1")), version("14.0.1"));
    }

    #[test]
    fn warns_outside_of_what_was_read() {
        let caution = |text: &str| text.parse::<CitusVersion>().unwrap().caution().is_some();
        assert!(!caution("12.1.0") && !caution("13") && !caution("14.0.1"));
        assert!(caution("12.0") && caution("14.1") && caution("15"));
    }
}
