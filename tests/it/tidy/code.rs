//! Rust source with comments and literals told apart from code.

#![expect(
    clippy::string_slice,
    reason = "every offset was found in the same text, at the border of a character"
)]

/// A source file in which comments and the contents of literals are blank; lines and columns are kept.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) text: String,
    /// The contents of text literals and the numbers of the lines on which they begin.
    pub(crate) literals: Vec<(usize, String)>,
}

impl Code {
    pub(crate) fn of(source: &str) -> Self {
        let mut reader = Reader {
            rest: without_inline_tests(source),
            text: String::with_capacity(source.len()),
            literals: Vec::new(),
        };
        while reader.step() {}
        Self {
            text: reader.text,
            literals: reader.literals,
        }
    }

    /// Lines of code that contain `word` where a word begins, with their numbers.
    pub(crate) fn lines_with<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> {
        self.text
            .lines()
            .enumerate()
            .filter(move |(_, line)| has_word(line, word))
            .map(|(at, _)| at + 1)
    }

    /// All identifiers and the numbers of their lines.
    pub(crate) fn identifiers(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().flat_map(|(at, line)| {
            line.split(|c: char| !is_word(c))
                .filter(|word| {
                    word.chars()
                        .next()
                        .is_some_and(|first| !first.is_ascii_digit())
                })
                .map(move |word| (at + 1, word))
        })
    }
}

/// Whether `word` is in `line` and no longer word ends there.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].chars().next_back().is_some_and(is_word))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn without_inline_tests(source: &str) -> &str {
    source
        .find("#[cfg(test)]\nmod tests {")
        .map_or(source, |at| &source[..at])
}

struct Reader<'a> {
    rest: &'a str,
    text: String,
    literals: Vec<(usize, String)>,
}

impl Reader<'_> {
    /// Takes the next token; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else {
            return false;
        };
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.blank(end);
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment(self.rest));
        } else if let Some((open, close)) = raw_text(self.rest) {
            let end = self.rest[open..]
                .find(&close)
                .map_or(self.rest.len(), |at| open + at);
            self.literal(open, end, end + close.len());
        } else if first == '"' {
            let end = closing(self.rest, '"');
            self.literal(1, end, end + 1);
        } else if first == '\'' && is_char(self.rest) {
            self.blank(closing(self.rest, '\'') + 1);
        } else if is_word(first) {
            let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
            self.keep(end);
        } else {
            self.keep(first.len_utf8());
        }
        true
    }

    fn keep(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length);
        self.text.push_str(taken);
        self.rest = rest;
    }

    fn blank(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.text
            .extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }

    fn literal(&mut self, start: usize, end: usize, length: usize) {
        let line = self.text.matches('\n').count() + 1;
        let end = end.min(self.rest.len());
        self.literals.push((line, self.rest[start..end].to_owned()));
        self.blank(length);
    }
}

/// The length of a block comment; they nest.
fn block_comment(source: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < source.len() {
        if source[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if source[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += source[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    source.len()
}

/// The length of the opening of a raw text, such as `r#"`, and its end.
fn raw_text(source: &str) -> Option<(usize, String)> {
    let body = source
        .strip_prefix("br")
        .or_else(|| source.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    body[hashes..].starts_with('"').then(|| {
        let open = source.len() - body.len() + hashes + 1;
        (open, format!("\"{}", "#".repeat(hashes)))
    })
}

/// Where the quote that opens `source` is closed.
fn closing(source: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in source.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at,
            _ => {},
        }
    }
    source.len()
}

/// Whether a quote opens a character and not a lifetime.
fn is_char(source: &str) -> bool {
    let mut chars = source.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

#[cfg(test)]
mod tests;
