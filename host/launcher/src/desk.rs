//! What was asked and is not answered yet.
//!
//! Requests about one sandbox are carried out one after the other, as they came; those about several, side by side.

use std::collections::VecDeque;

use crate::wire::{Ask, Request};

/// Requests that may be here at once, so that they take no more memory than so many packets. One more is refused; the host
/// waits before it asks that much.
pub(crate) const REQUESTS: usize = 256;
/// Of each kind of work that takes long, so much goes on at once. They are not one number: what can be ended is ended while
/// nothing can be started.
const AT_ONCE: usize = 32;

/// The kinds of work that take long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Making,
    Ending,
}

fn kind(ask: &Ask) -> Option<Kind> {
    match ask {
        Ask::About | Ask::Start(_) => Some(Kind::Making),
        Ask::Kill(_) => Some(Kind::Ending),
        Ask::Open(_) | Ask::Status(_) | Ask::List(_) | Ask::Usage(_) | Ask::Log(_) => None,
    }
}

/// The sandbox that it is about; none where it is about none or all.
fn subject(ask: &Ask) -> Option<&str> {
    match ask {
        Ask::Start(recipe) => Some(&recipe.id),
        Ask::Open(id) | Ask::Kill(id) | Ask::Status(id) | Ask::Usage(id) | Ask::Log(id) => Some(id),
        Ask::About | Ask::List(_) => None,
    }
}

/// Requests that wait, and those that are worked on by a `W`.
pub(crate) struct Desk<W> {
    waiting: VecDeque<Request>,
    working: Vec<Job<W>>,
}

/// A request that is worked on.
pub(crate) struct Job<W> {
    pub(crate) number: u64,
    /// The sandbox that it is about.
    pub(crate) subject: Option<String>,
    kind: Option<Kind>,
    pub(crate) worker: W,
}

impl<W> Desk<W> {
    pub(crate) fn new() -> Self {
        Self { waiting: VecDeque::new(), working: Vec::new() }
    }

    /// Whether there is nothing left to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.working.is_empty()
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = &W> {
        self.working.iter().map(|job| &job.worker)
    }

    /// Takes a request, or gives it back where there are too many.
    pub(crate) fn take(&mut self, request: Request) -> Result<(), Request> {
        if self.waiting.len() + self.working.len() >= REQUESTS {
            return Err(request);
        }
        self.waiting.push_back(request);
        Ok(())
    }

    /// The next request that can be carried out now.
    pub(crate) fn next(&mut self) -> Option<Request> {
        let can = |at: &usize| {
            let ask = &self.waiting[*at].ask;
            let free = kind(ask).is_none_or(|kind| self.at_work(kind) < AT_ONCE);
            free && subject(ask).is_none_or(|subject| !self.is_busy(subject, *at))
        };
        let at = (0..self.waiting.len()).find(can)?;
        self.waiting.remove(at)
    }

    fn at_work(&self, kind: Kind) -> usize {
        self.working.iter().filter(|job| job.kind == Some(kind)).count()
    }

    /// Whether something about that sandbox comes before what is at this place.
    fn is_busy(&self, id: &str, before: usize) -> bool {
        self.working.iter().any(|job| job.subject.as_deref() == Some(id))
            || self.waiting.iter().take(before).any(|request| subject(&request.ask) == Some(id))
    }

    /// From now on this one works on the request that was asked so.
    pub(crate) fn work(&mut self, number: u64, ask: &Ask, worker: W) {
        let subject = subject(ask).map(str::to_owned);
        self.working.push(Job { number, subject, kind: kind(ask), worker });
    }

    /// Takes out those whose worker is done, with what it says.
    pub(crate) fn done<T>(&mut self, result: impl Fn(&W) -> Option<T>) -> Vec<(Job<W>, T)> {
        let mut done = Vec::new();
        let mut at = 0;
        while let Some(job) = self.working.get(at) {
            match result(&job.worker) {
                Some(result) => done.push((self.working.swap_remove(at), result)),
                None => at += 1,
            }
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(desk: &mut Desk<()>, number: u64, ask: Ask) {
        assert!(desk.take(Request { number, ask }).is_ok());
    }

    /// Carries out what can be; what takes long goes on.
    fn carry_out(desk: &mut Desk<()>) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Some(Request { number, ask }) = desk.next() {
            numbers.push(number);
            if kind(&ask).is_some() {
                desk.work(number, &ask, ());
            }
        }
        numbers
    }

    #[test]
    fn what_is_about_one_sandbox_is_carried_out_in_order() {
        let mut desk = Desk::new();
        ask(&mut desk, 1, Ask::Kill("a".into()));
        ask(&mut desk, 2, Ask::Status("a".into()));
        ask(&mut desk, 3, Ask::Status("b".into()));
        ask(&mut desk, 4, Ask::List(String::new()));
        assert_eq!(carry_out(&mut desk), [1, 3, 4]);
        assert_eq!(desk.done(|()| Some(())).len(), 1);
        assert_eq!(carry_out(&mut desk), [2]);
        assert!(desk.is_empty());
    }

    #[test]
    fn no_more_than_so_much_goes_on_at_once_and_the_rest_waits() {
        let mut desk = Desk::new();
        for number in 0..=AT_ONCE as u64 {
            ask(&mut desk, number, Ask::About);
        }
        ask(&mut desk, 1000, Ask::Kill("a".into()));
        let begun = carry_out(&mut desk);
        assert_eq!((begun.len(), begun.last()), (AT_ONCE + 1, Some(&1000)));
        desk.done(|()| Some(()));
        assert_eq!(carry_out(&mut desk), [AT_ONCE as u64]);
    }

    #[test]
    fn more_requests_than_the_bound_are_given_back() {
        let mut desk = Desk::<()>::new();
        for number in 0..REQUESTS as u64 {
            ask(&mut desk, number, Ask::Kill("a".into()));
        }
        assert!(desk.take(Request { number: 0, ask: Ask::About }).is_err());
        desk.next();
        assert!(desk.take(Request { number: 0, ask: Ask::About }).is_ok());
    }
}
