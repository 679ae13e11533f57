//! The one job that every measure does: `text.stats` on a page of English.

use serde_json::{Value, json};

/// The pack.
pub(crate) const PACK: &str = "text.stats";

/// 1.2 KB of English.
const TEXT: &str = "\
The keeper of the light on Gull Rock had two duties that mattered and a hundred that did not. The two were to light the \
lamp at dusk and to wind the clockwork that turned the lens. The hundred were the paint, the brass, the stores, the log, \
the hens and the letters that nobody answered before spring.

He liked the hundred better. A lamp that burns well asks for nothing, and a man who is asked for nothing listens to the \
wind until it says something. So he scraped the railings, counted the tins, and wrote down the weather four times a day: \
\"Wind west, six. Sea rough. Visibility good.\"

On the ninth of March the log says only: \"Fog.\" It says so for three days. On the fourth, in a smaller hand, it says \
that a boat came out of the fog with her engine stopped, that a woman stood in the bow with a lantern, and that she asked \
him what the light was for, if it could not be seen. He thought about that. Then he rang the bell, once a minute, until \
the fog was gone; and whether anybody had heard it, or had needed to, the log doesn't say. It's 2.5 miles to the shore. \
He wound the clockwork, lit the lamp, fed the hens, and began a letter.
";

/// The input of the job.
pub(crate) fn input() -> Value {
    json!({ "text": TEXT })
}
