//! Sockets towards Asterisk: the FastAGI server, the AMI client, the servers that hear (and speak to) a call. And the way
//! to the cloud that recognizer and voice share, and to the servers that dialogs ask.

pub mod agi;
pub mod ami;
pub mod backoff;
pub mod media;
pub mod speaker;
pub mod web;
pub mod yandex;
