//! The verbs as people and scripts call them: the binary against a running stack that has played the case.

mod asking;
mod rebuilds;
mod refusals;
mod stack;
