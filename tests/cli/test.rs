//! One run of the binary and what is expected of it.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::folder::Folder;
use crate::normal::normal;
use crate::process::{Ended, Process};

/// A run in a folder. Streams that are not mentioned must stay empty, the exit code must be 0.
pub(crate) struct Test<'a> {
    folder: &'a Folder,
    args: Vec<OsString>,
    home: &'a str,
    env: Vec<(&'a str, OsString)>,
    stdin: Vec<u8>,
    stdout: Option<String>,
    stderr: Option<String>,
    code: i32,
}

/// What a run printed, as it was.
pub(crate) struct Printed {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl<'a> Test<'a> {
    pub(crate) fn new(folder: &'a Folder) -> Self {
        Self {
            folder,
            args: Vec::new(),
            home: "home",
            env: Vec::new(),
            stdin: Vec::new(),
            stdout: Some(String::new()),
            stderr: Some(String::new()),
            code: 0,
        }
    }

    pub(crate) fn args<T: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Whose home it is; the folder's `home` unless said otherwise.
    pub(crate) fn home(self, home: &'a str) -> Self {
        Self { home, ..self }
    }

    pub(crate) fn env(mut self, name: &'a str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name, value.as_ref().to_owned()));
        self
    }

    pub(crate) fn stdin(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            stdin: bytes.into(),
            ..self
        }
    }

    pub(crate) fn stdout(self, expected: &str) -> Self {
        let stdout = Some(expected.to_owned());
        Self { stdout, ..self }
    }

    pub(crate) fn stderr(self, expected: &str) -> Self {
        let stderr = Some(expected.to_owned());
        Self { stderr, ..self }
    }

    /// Whatever is on stdout is looked at by the test itself.
    pub(crate) fn any_stdout(self) -> Self {
        Self {
            stdout: None,
            ..self
        }
    }

    /// Whatever is on stderr is looked at by the test itself.
    pub(crate) fn any_stderr(self) -> Self {
        Self {
            stderr: None,
            ..self
        }
    }

    pub(crate) fn code(self, code: i32) -> Self {
        Self { code, ..self }
    }

    /// The command, in the folder, with an environment that has nothing of the machine's.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swarmhold"));
        command
            .current_dir(self.folder.root())
            .env_clear()
            .env("HOME", self.folder.root())
            .env("SWARMHOLD_HOME", self.folder.path(self.home))
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .args(&self.args);
        for (name, value) in &self.env {
            if value.is_empty() {
                command.env_remove(name);
            }
        }
        command
    }

    /// Starts it, to be looked at while it runs.
    pub(crate) fn start(&self) -> Process {
        Process::start(self.command())
    }

    /// Runs it to its end and compares.
    pub(crate) fn run(self) -> Printed {
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // a process that does not want its input may be gone already
        let _ = child.stdin.take().unwrap().write_all(&self.stdin);
        let output = child.wait_with_output().unwrap();
        self.compare(Ended {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        })
    }

    /// Compares the end of a process with what is expected.
    pub(crate) fn compare(&self, ended: Ended) -> Printed {
        let Ended {
            status,
            stdout,
            stderr,
        } = ended;
        let root: &Path = self.folder.root();
        let found = (normal(&stdout, root), normal(&stderr, root), status.code());
        let expected = (
            self.stdout.clone().unwrap_or_else(|| found.0.clone()),
            self.stderr.clone().unwrap_or_else(|| found.1.clone()),
            Some(self.code),
        );
        assert!(
            found == expected,
            "{:?}\n--- stdout\n{}--- instead of\n{}--- stderr\n{}--- instead of\n{}--- {:?} instead of {:?}",
            self.args,
            found.0,
            expected.0,
            found.1,
            expected.1,
            found.2,
            expected.2,
        );
        Printed { stdout, stderr }
    }
}

impl Printed {
    /// Stdout as one JSON object.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The error object on stderr.
    pub(crate) fn json_error(&self) -> Value {
        let line: Value = serde_json::from_str(&self.stderr).unwrap();
        line["error"].clone()
    }

    /// The only line of stdout.
    pub(crate) fn line(&self) -> &str {
        self.stdout.strip_suffix('\n').unwrap()
    }
}
