//! What holds for whatever values and texts there are.

use proptest::prelude::*;

use crate::scene::{Choices, Scene};

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_redactor_does_what_the_oracle_does_however_the_text_is_cut(
        choices in proptest::collection::vec(any::<u8>(), 1..400),
    ) {
        Scene::new(&mut Choices(&choices)).check();
    }

    #[test]
    fn every_cut_of_a_small_scene_gives_the_same(choices in proptest::collection::vec(any::<u8>(), 1..60)) {
        let mut scene = Scene::new(&mut Choices(&choices));
        for cut in 1..=scene.text.len().min(24) {
            scene.cuts = vec![cut, 1000];
            scene.check();
        }
        scene.cuts = vec![1];
        scene.check();
    }
}
