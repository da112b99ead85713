//! Texts for people at a terminal: durations, lists, and columns that line up. Pure.

/// A time as people say it: `200 ms`, `1.5 s`, `2 min 30 s`, `7 d`.
pub fn duration(ms: u64) -> String {
    if ms < 1_000 {
        return format!("{ms} ms");
    }
    if ms < 60_000 {
        return format!("{} s", seconds(ms));
    }
    let parts = [(ms / 86_400_000, "d"), (ms / 3_600_000 % 24, "h"), (ms / 60_000 % 60, "min")];
    let mut parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if !ms.is_multiple_of(60_000) {
        parts.push(format!("{} s", seconds(ms % 60_000)));
    }
    parts.join(" ")
}

/// From one time to another, with the unit once where both have the same: `0.5 to 1.5 s`.
pub fn span(from_ms: u64, to_ms: u64) -> String {
    let in_seconds = |ms: &u64| (500..60_000).contains(ms);
    if in_seconds(&from_ms) && in_seconds(&to_ms) && to_ms >= 1_000 {
        return format!("{} to {} s", seconds(from_ms), seconds(to_ms));
    }
    if to_ms < 1_000 {
        return format!("{from_ms} to {to_ms} ms");
    }
    format!("{} to {}", duration(from_ms), duration(to_ms))
}

fn seconds(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `3 queues`, `1 queue`, `no queue`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    match count {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    }
}

/// Lines whose cells line up, two spaces apart. The last cell of a line may be as long as it likes.
pub fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| row.len() > column + 1).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat((width + 2).saturating_sub(cell.chars().count())));
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Breaks a text between words into lines of at most `width` characters, where that is possible.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if let Some(line) = lines.last_mut() {
            if line.is_empty() {
                line.push_str(word);
                continue;
            }
            if line.chars().count() + 1 + word.chars().count() <= width {
                line.push(' ');
                line.push_str(word);
                continue;
            }
        }
        lines.push(word.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        for (ms, said) in [
            (0, "0 ms"),
            (200, "200 ms"),
            (1_500, "1.5 s"),
            (45_000, "45 s"),
            (150_000, "2 min 30 s"),
            (604_800_000, "7 d"),
            (93_784_050, "1 d 2 h 3 min 4.05 s"),
        ] {
            assert_eq!(duration(ms), said);
        }
        assert_eq!(span(500, 1_500), "0.5 to 1.5 s");
        assert_eq!(span(100, 300), "100 to 300 ms");
        assert_eq!(span(100, 1_300), "100 ms to 1.3 s");
        assert_eq!(span(30_000, 90_000), "30 s to 1 min 30 s");
    }

    #[test]
    fn columns_line_up_and_end_without_spaces() {
        let rows = [vec!["a", "b", "c"], vec!["long", "", ""], vec!["the last one is not counted"]];
        let rows = rows.map(|row| row.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(columns(&rows), ["a     b  c", "long", "the last one is not counted"]);
        assert_eq!(wrap("a bb ccc dddd", 4), ["a bb", "ccc", "dddd"]);
    }
}
