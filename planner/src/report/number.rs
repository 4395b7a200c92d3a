//! Numbers as people read them.

/// With thousands separators: `1,250,000`.
pub fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0 { format!("-{out}") } else { out }
}

/// Bytes as `pg_size_pretty(bigint)` prints them (dbsize.c, the same rounding).
pub fn size(bytes: i64) -> String {
    const UNITS: [(&str, i64, u32); 6] = [
        ("bytes", 10 * 1024, 0),
        ("kB", 20 * 1024 - 1, 10),
        ("MB", 20 * 1024 - 1, 20),
        ("GB", 20 * 1024 - 1, 30),
        ("TB", 20 * 1024 - 1, 40),
        ("PB", 20 * 1024 - 1, 50),
    ];
    let mut rest = bytes;
    for (position, &(unit, limit, bits)) in UNITS.iter().enumerate() {
        let rounds = position > 0;
        if rest.abs() < limit || position + 1 == UNITS.len() {
            let value = if rounds { (rest + rest.signum()) / 2 } else { rest };
            return format!("{value} {unit}");
        }
        // All units but bytes are kept doubled until they are rounded.
        rest >>= UNITS[position + 1].2 - bits - 1 + u32::from(rounds);
    }
    unreachable!("the last unit has no limit")
}

/// A part of a whole: `84 %`, `0.3 %`, `under 0.1 %`.
pub fn percent(part: i64, whole: i64) -> String {
    let value = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    match value {
        v if v >= 10.0 => format!("{v:.0} %"),
        v if v >= 0.1 => format!("{v:.1} %"),
        v if v > 0.0 => "under 0.1 %".to_owned(),
        _ => "0 %".to_owned(),
    }
}

/// `1 table`, `2 tables`.
pub fn count(number: usize, one: &str) -> String {
    let many = match one.strip_suffix('y') {
        Some(stem) if !one.ends_with("ey") => format!("{stem}ies"),
        _ => format!("{one}s"),
    };
    format!("{} {}", thousands(number as i64), if number == 1 { one.to_owned() } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_pg_size_pretty() {
        // SELECT pg_size_pretty(x) on PostgreSQL 15.
        for (bytes, text) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (10_485_247, "10239 kB"),
            (10_485_248, "10 MB"),
            (76_546_048, "73 MB"),
            (10_736_893_952, "10 GB"),
            (5_000_000_000_000, "4657 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn separators_and_plurals() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(-1_000), "-1,000");
        assert_eq!(count(1, "foreign key"), "1 foreign key");
        assert_eq!(count(2_000, "foreign key"), "2,000 foreign keys");
        assert_eq!(count(2, "primary"), "2 primaries");
        assert_eq!(percent(3, 1_000), "0.3 %");
        assert_eq!(percent(84, 100), "84 %");
    }
}
