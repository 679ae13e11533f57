//! Values that the operator's manifest gives a pack (`config` of its entry), over `wasi:config`. Never secrets.
//!
//! A pack that reads one is not served until its entry has a `config`.

use crate::Error;

mod bindings {
    #![allow(missing_docs, unreachable_pub, reason = "generated")]
    wit_bindgen::generate!({
        inline: "
            package wasi:config@0.2.0-rc.1;

            interface store {
                variant error { upstream(string), io(string) }
                get: func(key: string) -> result<option<string>, error>;
            }

            world configured { import store; }
        ",
        generate_all,
    });
}

use bindings::wasi::config::store;

/// The value of a key; `None` where the entry does not name it.
///
/// # Errors
///
/// `failed` where the host cannot tell.
pub fn get(key: &str) -> Result<Option<String>, Error> {
    store::get(key).map_err(|_| Error::failed(format!("The config value \"{key}\" could not be read.")))
}
