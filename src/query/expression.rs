//! Terms joined by and, or, not. Its depth is the depth of the brackets, which has a limit.

use super::term::Term;

/// What a query says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    /// All of these; true if there are none.
    All(Vec<Self>),
    /// One of these.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// This.
    Term(Term),
}

/// Nothing is asked.
impl Default for Expression {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Expression {
    pub(super) fn all(mut parts: Vec<Self>) -> Self {
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            Some(last) => {
                parts.push(last);
                Self::All(parts)
            }
            None => Self::default(),
        }
    }

    pub(super) fn any(mut arms: Vec<Self>) -> Self {
        match arms.pop() {
            Some(only) if arms.is_empty() => only,
            Some(last) => {
                arms.push(last);
                Self::Any(arms)
            }
            None => Self::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::All(parts) if parts.is_empty())
    }

    /// Whether it is true of a thing that a term is true of if `has` says so.
    pub(super) fn holds(&self, has: &impl Fn(&Term) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(has)),
            Self::Any(arms) => arms.iter().any(|arm| arm.holds(has)),
            Self::Not(part) => !part.holds(has),
            Self::Term(term) => has(term),
        }
    }

    /// Whether the other certainly holds where this does. Looks at what both ask for together, part
    /// by part, and no deeper: `false` says nothing.
    pub(super) fn implies(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.parts(), other.parts());
        theirs
            .iter()
            .all(|their| ours.iter().any(|our| our.part_implies(their)))
    }

    fn parts(&self) -> &[Self] {
        match self {
            Self::All(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }

    fn part_implies(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Term(Term::Word(ours)), Self::Term(Term::Word(theirs))) => ours.implies(theirs),
            (Self::Not(ours), Self::Not(theirs)) => match (&**ours, &**theirs) {
                (Self::Term(Term::Word(ours)), Self::Term(Term::Word(theirs))) => {
                    theirs.implies(ours)
                }
                (ours, theirs) => ours == theirs,
            },
            (ours, theirs) => ours == theirs,
        }
    }
}
