//! Tokens to an expression. What is wrong is told once, the rest is read as well as it goes: any
//! text has a reading.

use std::ops::Range;

use super::expression::Expression;
use super::lex::{Lexer, Token, Value, Written};
use super::term::Term;
use super::{Fault, Repair};

/// How deep brackets may nest.
const DEPTH_MAX: usize = 16;

/// What a text asks for, and the first thing that is wrong with it.
pub(super) fn parse(text: &str) -> (Expression, Option<Fault>) {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        fault: None,
    };
    let (expression, _) = parser.group(0);
    (expression, parser.fault)
}

/// How a group ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    OfText,
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    fault: Option<Fault>,
}

/// What has been read of a group.
#[derive(Default)]
struct Group {
    /// The parts before each `or`.
    arms: Vec<Expression>,
    /// The parts since.
    parts: Vec<Expression>,
    /// The `or` that nothing has followed yet.
    or: Option<Range<usize>>,
}

impl Parser<'_> {
    /// Reads to the closing bracket, outside of brackets to the end.
    fn group(&mut self, depth: usize) -> (Expression, End) {
        let mut group = Group::default();
        while let Some((token, place)) = self.lexer.next() {
            match token {
                Token::Close if depth > 0 => {
                    return (self.finish(group), End::Closed);
                }
                Token::Close => self.fault(place, "no bracket is open"),
                Token::Or => self.or(&mut group, place),
                Token::And => {}
                Token::Not => self.not(&mut group, place, depth),
                Token::Open | Token::Term(_) => {
                    let part = self.part(token, place, depth);
                    group.add(part);
                }
            }
        }
        (self.finish(group), End::OfText)
    }

    fn or(&mut self, group: &mut Group, place: Range<usize>) {
        if group.parts.is_empty() || group.or.is_some() {
            self.fault(place.clone(), "or stands between two things");
        } else {
            let parts = std::mem::take(&mut group.parts);
            group.arms.push(Expression::all(parts));
        }
        group.or = Some(place);
    }

    fn not(&mut self, group: &mut Group, place: Range<usize>, depth: usize) {
        let follows = self.lexer.next();
        match follows {
            Some((token @ (Token::Open | Token::Term(_)), next)) if next.start == place.end => {
                let part = self.part(token, next, depth);
                group.add(part.map(|part| Expression::Not(Box::new(part))));
            }
            _ => self.fault(place, "what is left out follows at once"),
        }
    }

    /// A bracket or a term; nothing if it is wrong.
    fn part(&mut self, token: Token<'_>, place: Range<usize>, depth: usize) -> Option<Expression> {
        match token {
            Token::Term(written) => self.term(&written, place),
            _ if depth == DEPTH_MAX => {
                self.fault(place, "too many brackets");
                None
            }
            _ => {
                let (group, end) = self.group(depth + 1);
                let place = place.start..self.lexer.place();
                if end == End::OfText {
                    self.unclosed(place, "the bracket is not closed", ')');
                } else if group.is_empty() {
                    self.fault(place, "nothing is in the brackets");
                }
                (!group.is_empty()).then_some(group)
            }
        }
    }

    fn term(&mut self, written: &Written<'_>, place: Range<usize>) -> Option<Expression> {
        if let Value::Unclosed(_) = written.value {
            self.unclosed(place.clone(), "the quote is not closed", '"');
        }
        match Term::read(written) {
            Ok(term) => Some(Expression::Term(term)),
            Err(words) => {
                self.fault(place, words);
                None
            }
        }
    }

    fn finish(&mut self, mut group: Group) -> Expression {
        if let Some(or) = group.or {
            self.fault(or, "or stands between two things");
        }
        if !group.parts.is_empty() {
            group.arms.push(Expression::all(group.parts));
        }
        Expression::any(group.arms)
    }

    fn fault(&mut self, place: Range<usize>, words: &'static str) {
        self.first(place, words, Repair::LeaveOut);
    }

    fn unclosed(&mut self, place: Range<usize>, words: &'static str, with: char) {
        self.first(place, words, Repair::Close(with));
    }

    /// Only the first is told.
    fn first(&mut self, place: Range<usize>, words: &'static str, repair: Repair) {
        self.fault.get_or_insert(Fault {
            start: place.start,
            end: place.end,
            words,
            repair,
        });
    }
}

impl Group {
    fn add(&mut self, part: Option<Expression>) {
        self.or = None;
        self.parts.extend(part);
    }
}
