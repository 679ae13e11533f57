//! Every operation of the API: the routes and the OpenAPI document are both made of this table, so that nothing is
//! served that is not described, and nothing described that is not served.

use axum::routing::{self, MethodRouter};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::answer::CallResult;
use crate::api::Api;
use crate::artifacts::{self, ArtifactAbout, ArtifactList};
use crate::asked::CallRequest;
use crate::call;
use crate::calls::{self, CallList, CallState};
use crate::desk::{self, LiveList};
use crate::health::{self, Health};
use crate::links::{self, ArtifactLink};
use crate::packs::{self, PackDetail, PackList};
use crate::record::{self, RecordList};
use crate::sessions::{self, SessionList, WorkspaceList};

/// A method of a path.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) handler: fn() -> MethodRouter<Api>,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    /// Names of parameters in the document.
    pub(crate) parameters: &'static [&'static str],
    pub(crate) body: Option<SchemaOf>,
    /// What it answers where all goes well.
    pub(crate) answers: &'static [Answer],
    /// The statuses that it has for problems, besides those that every operation has.
    pub(crate) problems: &'static [u16],
}

/// An answer where all goes well.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) description: &'static str,
    pub(crate) body: Option<SchemaOf>,
    /// Headers of the document.
    pub(crate) headers: &'static [&'static str],
}

pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

pub(crate) const ALL: &[Operation] = &[
    Operation {
        method: "get",
        path: "/v1/health",
        handler: || routing::get(health::health),
        id: "health",
        summary: "How the host is.",
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "It answers.",
            body: Some(of::<Health>),
            headers: &[],
        }],
        problems: &[],
    },
    Operation {
        method: "get",
        path: "/v1/packs",
        handler: || routing::get(packs::list),
        id: "listPacks",
        summary: "The packs that this caller may see.",
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "All of them.",
            body: Some(of::<PackList>),
            headers: &[],
        }],
        problems: &[],
    },
    Operation {
        method: "get",
        path: "/v1/packs/{name}",
        handler: || routing::get(packs::describe),
        id: "describePack",
        summary: "A pack, with the schemas of its input and its output.",
        parameters: &["name"],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The pack.",
            body: Some(of::<PackDetail>),
            headers: &[],
        }],
        problems: &[404],
    },
    Operation {
        method: "post",
        path: "/v1/packs/{name}/calls",
        handler: || routing::post(call::call),
        id: "callPack",
        summary: "Calls a pack, and waits for its answer, reads its progress as events, or fetches the answer later.",
        parameters: &["name", "Prefer", "Idempotency-Key"],
        body: Some(of::<CallRequest>),
        answers: &[
            Answer {
                status: 200,
                description: "The answer; as server-sent events where the request accepts those and no JSON: `progress` and \
                    `log` while it runs, and `result` or `problem` as the last.",
                body: Some(of::<CallResult>),
                headers: &["Idempotency-Replayed"],
            },
            Answer {
                status: 202,
                description: "The call was started, and its answer is kept.",
                body: Some(of::<CallState>),
                headers: &["Location", "Preference-Applied", "Idempotency-Replayed"],
            },
        ],
        problems: &[404, 409, 415, 422, 499, 502, 504, 507],
    },
    Operation {
        method: "get",
        path: "/v1/calls",
        handler: || routing::get(calls::list),
        id: "listCalls",
        summary: "The kept calls of this caller, of the packs that its token lets it call.",
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "All of them.",
            body: Some(of::<CallList>),
            headers: &[],
        }],
        problems: &[],
    },
    Operation {
        method: "get",
        path: "/v1/calls/{run}",
        handler: || routing::get(calls::look),
        id: "describeCall",
        summary: "How a kept call is.",
        parameters: &["run"],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The call.",
            body: Some(of::<CallState>),
            headers: &[],
        }],
        problems: &[404],
    },
    Operation {
        method: "delete",
        path: "/v1/calls/{run}",
        handler: || routing::delete(calls::end),
        id: "endCall",
        summary: "Ends a kept call if it still runs, and forgets it.",
        parameters: &["run"],
        body: None,
        answers: &[Answer { status: 204, description: "It is gone.", body: None, headers: &[] }],
        problems: &[404],
    },
    Operation {
        method: "get",
        path: "/v1/calls/{run}/result",
        handler: || routing::get(calls::result),
        id: "fetchResult",
        summary: "What the call would have been answered, had its caller waited for it.",
        parameters: &["run", "wait"],
        body: None,
        answers: &[
            Answer { status: 200, description: "The answer.", body: Some(of::<CallResult>), headers: &[] },
            Answer {
                status: 202,
                description: "It still runs.",
                body: Some(of::<CallState>),
                headers: &["Retry-After"],
            },
        ],
        problems: &[404, 422, 499, 502, 504, 507],
    },
    Operation {
        method: "get",
        path: "/v1/artifacts",
        handler: || routing::get(artifacts::list),
        id: "listArtifacts",
        summary: "What this caller's calls have made.",
        parameters: &["ofRun", "ofPack", "after", "limit", "all"],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "A page of it, the latest first.",
            body: Some(of::<ArtifactList>),
            headers: &[],
        }],
        problems: &[404],
    },
    Operation {
        method: "get",
        path: "/v1/artifacts/{id}",
        handler: || routing::get(artifacts::look),
        id: "describeArtifact",
        summary: "An artifact, without its bytes.",
        parameters: &["id", "all"],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "What is known of it.",
            body: Some(of::<ArtifactAbout>),
            headers: &[],
        }],
        problems: &[404],
    },
    Operation {
        method: "delete",
        path: "/v1/artifacts/{id}",
        handler: || routing::delete(artifacts::remove),
        id: "removeArtifact",
        summary: "Removes an artifact of this caller's.",
        parameters: &["id"],
        body: None,
        answers: &[Answer { status: 204, description: "It is gone.", body: None, headers: &[] }],
        problems: &[404],
    },
    Operation {
        method: "get",
        path: "/v1/artifacts/{id}/content",
        handler: || routing::get(artifacts::content),
        id: "readArtifact",
        summary: "The bytes of an artifact, or one range of them.",
        parameters: &["id", "all", "Range", "If-Range"],
        body: None,
        answers: &[
            Answer { status: 200, description: "All of it.", body: None, headers: &["ETag"] },
            Answer {
                status: 206,
                description: "The range.",
                body: None,
                headers: &["Content-Range", "ETag"],
            },
        ],
        problems: &[404, 416],
    },
    Operation {
        method: "post",
        path: "/v1/artifacts/{id}/links",
        handler: || routing::post(links::make),
        id: "linkArtifact",
        summary: "A link to the bytes of an artifact that is good without a token, for a while.",
        parameters: &["id", "seconds"],
        body: None,
        answers: &[Answer {
            status: 201,
            description: "The link.",
            body: Some(of::<ArtifactLink>),
            headers: &[],
        }],
        problems: &[404],
    },
    Operation {
        method: "get",
        path: "/v1/sessions",
        handler: || routing::get(sessions::list),
        id: "listSessions",
        summary: "The sandboxes of this caller's calls.",
        parameters: &["all"],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "All of them.",
            body: Some(of::<SessionList>),
            headers: &[],
        }],
        problems: &[],
    },
    Operation {
        method: "delete",
        path: "/v1/sessions/{id}",
        handler: || routing::delete(sessions::end),
        id: "endSession",
        summary: "Ends a sandbox, and what runs in it.",
        parameters: &["id"],
        body: None,
        answers: &[Answer { status: 204, description: "It is gone.", body: None, headers: &[] }],
        problems: &[404],
    },
    Operation {
        method: "get",
        path: "/v1/workspaces",
        handler: || routing::get(sessions::workspaces),
        id: "listWorkspaces",
        summary: "The directories that this caller's calls share.",
        parameters: &["all"],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "All of them.",
            body: Some(of::<WorkspaceList>),
            headers: &[],
        }],
        problems: &[],
    },
    Operation {
        method: "delete",
        path: "/v1/workspaces/{id}",
        handler: || routing::delete(sessions::remove_workspace),
        id: "removeWorkspace",
        summary: "Removes a workspace with everything in it.",
        parameters: &["id"],
        body: None,
        answers: &[Answer { status: 204, description: "It is gone.", body: None, headers: &[] }],
        problems: &[404],
    },
    Operation {
        method: "get",
        path: "/v1/audit",
        handler: || routing::get(record::query),
        id: "queryRecord",
        summary: "The record of what everybody did.",
        parameters: &["kind", "ofPack", "ofCaller", "outcome", "ofRun", "since", "until", "before", "limit"],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "A page of it, the newest first.",
            body: Some(of::<RecordList>),
            headers: &[],
        }],
        problems: &[404],
    },
    Operation {
        method: "get",
        path: "/v1/live",
        handler: || routing::get(desk::live),
        id: "listLive",
        summary: "The calls that run or wait for a place, whoever made them.",
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "What there is to be seen.",
            body: Some(of::<LiveList>),
            headers: &[],
        }],
        problems: &[],
    },
    Operation {
        method: "get",
        path: "/v1/packs/{name}/grants",
        handler: || routing::get(desk::grants),
        id: "describeGrants",
        summary: "What a pack asks for and what it may, as `packhost policy explain` has it.",
        parameters: &["name"],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "What there is to be seen.",
            body: Some(of::<serde_json::Value>),
            headers: &[],
        }],
        problems: &[404],
    },
    Operation {
        method: "get",
        path: "/v1/denials",
        handler: || routing::get(desk::denials),
        id: "listDenials",
        summary: "What was denied, with the edits that would allow it, as `packhost policy suggest` has it.",
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "What there is to be seen.",
            body: Some(of::<serde_json::Value>),
            headers: &[],
        }],
        problems: &[404],
    },
    Operation {
        method: "get",
        path: "/v1/credentials",
        handler: || routing::get(desk::credentials),
        id: "listCredentials",
        summary: "The credentials without their values, and which pack may use them where.",
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "What there is to be seen.",
            body: Some(of::<serde_json::Value>),
            headers: &[],
        }],
        problems: &[404],
    },
    Operation {
        method: "get",
        path: "/v1/audit/verification",
        handler: || routing::get(desk::verification),
        id: "verifyRecord",
        summary: "Whether the record is what this host wrote, as `packhost audit verify` has it.",
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "What there is to be seen.",
            body: Some(of::<serde_json::Value>),
            headers: &[],
        }],
        problems: &[404],
    },
    Operation {
        method: "get",
        path: "/v1/artifacts/{id}/verification",
        handler: || routing::get(desk::artifact),
        id: "verifyArtifact",
        summary: "Whether an artifact is what was written, and who has signed for it.",
        parameters: &["id", "all"],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "What there is to be seen.",
            body: Some(of::<serde_json::Value>),
            headers: &[],
        }],
        problems: &[404],
    },
];

/// The one operation that needs no token.
pub(crate) const FOLLOW: Operation = Operation {
    method: "get",
    path: "/v1/links/{link}",
    handler: || routing::get(links::follow),
    id: "followLink",
    summary: "The bytes that a link leads to, as its caller would get them.",
    parameters: &["link", "Range", "If-Range"],
    body: None,
    answers: &[
        Answer { status: 200, description: "All of it.", body: None, headers: &["ETag"] },
        Answer { status: 206, description: "The range.", body: None, headers: &["Content-Range", "ETag"] },
    ],
    problems: &[404, 416],
};
