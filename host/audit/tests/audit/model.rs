//! The denials against a list in memory that does the same in the most naive way.

use packhost_audit::{Bounds, Denials, Denied};
use packhost_core::PackName;
use packhost_manifest::DeniedRequest;
use proptest::prelude::*;

use crate::{at, opened, pack};

const BOUNDS: Bounds = Bounds { pack: 4, all: 7 };
const PACKS: &[&str] = &["a", "b", "c"];

#[derive(Debug, Clone)]
enum Deed {
    Note { pack: usize, requests: Vec<(usize, bool)>, at: u64 },
    Clear { pack: usize },
}

fn deed() -> impl Strategy<Value = Deed> {
    let requests = prop::collection::vec((0..8_usize, any::<bool>()), 0..6);
    prop_oneof![
        9 => (0..PACKS.len(), requests, 0..20_u64).prop_map(|(pack, requests, at)| Deed::Note { pack, requests, at }),
        1 => (0..PACKS.len()).prop_map(|pack| Deed::Clear { pack }),
    ]
}

/// One of a few requests; some differ in one thing alone.
fn request(number: usize, reported: bool) -> DeniedRequest {
    let method = if number & 1 == 0 { "GET" } else { "POST" };
    let (port, path) = (if number & 2 == 0 { 443 } else { 80 }, if number & 4 == 0 { "/" } else { "/x" });
    DeniedRequest::stored(method, ("https", "a.test", port), path, false, reported).unwrap()
}

#[derive(Debug, Default)]
struct Model(Vec<(PackName, Denied)>);

/// What decides between two of one time; `reported` is no part of it.
fn parts(request: &DeniedRequest) -> (String, &'static str, String, u16, String, bool) {
    let (method, scheme) = (request.method().to_owned(), request.scheme().as_str());
    (method, scheme, request.host().into(), request.port(), request.path().into(), request.is_cut())
}

impl Model {
    fn note(&mut self, pack: &PackName, requests: &[DeniedRequest], at: u64) {
        for request in requests {
            let same =
                |(of, one): &&mut (PackName, Denied)| of == pack && parts(&one.request) == parts(request);
            match self.0.iter_mut().find(same) {
                Some((_, one)) => {
                    let (first, last) = (one.first.min(at), one.last.max(at));
                    *one = Denied { request: request.clone(), count: one.count + 1, first, last };
                }
                None => {
                    let one = Denied { request: request.clone(), count: 1, first: at, last: at };
                    self.0.push((pack.clone(), one));
                }
            }
        }
        // An empty note is none.
        if !requests.is_empty() {
            while self.0.iter().filter(|(of, _)| of == pack).count() > BOUNDS.pack as usize {
                self.drop_oldest(Some(pack));
            }
            while self.0.len() > BOUNDS.all as usize {
                self.drop_oldest(None);
            }
        }
    }

    fn drop_oldest(&mut self, pack: Option<&PackName>) {
        let mine = |(of, _): &&(PackName, Denied)| pack.is_none_or(|pack| pack == of);
        let key = |(of, one): &&(PackName, Denied)| (one.last, of.clone(), parts(&one.request));
        let oldest = self.0.iter().filter(mine).min_by_key(key).cloned();
        self.0.retain(|one| Some(one) != oldest.as_ref());
    }

    fn of(&self, pack: &PackName) -> Vec<Denied> {
        let mine = self.0.iter().filter(|(of, _)| of == pack);
        let mut of: Vec<Denied> = mine.map(|(_, one)| one.clone()).collect();
        of.sort_by_key(|one| (std::cmp::Reverse(one.last), parts(&one.request)));
        of
    }
}

fn run(denials: &Denials, model: &mut Model, deed: &Deed) {
    match deed {
        Deed::Note { pack: name, requests, at: time } => {
            let requests: Vec<DeniedRequest> =
                requests.iter().map(|(number, reported)| request(*number, *reported)).collect();
            let name = pack(PACKS[*name]);
            denials.note(&name, &requests, at(*time)).unwrap();
            model.note(&name, &requests, *time);
        }
        Deed::Clear { pack: name } => {
            let name = pack(PACKS[*name]);
            assert_eq!(denials.clear(&name).unwrap(), model.of(&name).len());
            model.0.retain(|(of, _)| *of != name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn they_agree_after_every_deed(deeds in prop::collection::vec(deed(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        let (denials, mut model) = (opened(dir.path(), BOUNDS), Model::default());
        for deed in &deeds {
            run(&denials, &mut model, deed);
            let mut packs = Vec::new();
            for name in PACKS.iter().map(|name| pack(name)) {
                let of = denials.of(&name).unwrap();
                prop_assert_eq!(&of, &model.of(&name), "{} after {:?}", name, deed);
                packs.extend((!of.is_empty()).then_some(name));
            }
            prop_assert_eq!(denials.packs().unwrap(), packs);
        }
    }
}
