//! The server API, asked as the router asks it.

mod access;
mod batch;
mod commands;
mod description;
mod rig;
