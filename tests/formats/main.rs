//! The formats against input from an enemy: manifests, what travels between peers, certificates.
//! Each is one table of cases with the exact answers, and properties over mutations of good input.

mod certs;
mod manifest;
mod wire;
