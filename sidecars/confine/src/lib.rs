//! What holds a program in a sandbox: its user, no capabilities, no new privileges, Landlock with every right that the kernel
//! knows, a written seccomp list, and limits.
//!
//! Owns: preparing all of it in the parent and putting it in force in the child, between fork and exec. Refuses: making
//! sandboxes, and starting anything.
