//! podman with everything it keeps in a temporary folder of its own.
//!
//! Storage, run-time state, locks and configuration are private, so neither the images nor the
//! containers of the machine are seen or touched.

use std::fs;
use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

use crate::skip::skip;

const BUSYBOX: &str = "/bin/busybox";
/// Long enough for the slowest step on two busy cores.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Podman {
    folder: TempDir,
    /// The OCI runtime where it is not podman's own choice.
    runtime: Option<&'static str>,
}

impl Podman {
    /// A podman that works, or `None` after saying why there is none.
    ///
    /// Panics instead where `SWARMHOLD_NO_SKIP` forbids to skip.
    pub(crate) fn or_skip() -> Option<Self> {
        let podman = Self::new();
        let reason = if !Path::new(BUSYBOX).exists() {
            format!("there is no {BUSYBOX} (Debian: busybox-static)")
        } else {
            match podman.command(&["info"]).output() {
                Ok(output) if output.status.success() => return Some(podman),
                Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
                Err(error) => format!("podman does not start: {error}"),
            }
        };
        skip(&reason);
        None
    }

    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let config = "[containers]\ndefault_ulimits = []\n[engine]\nlock_type = \"file\"\n";
        fs::write(folder.path().join("containers.conf"), config).expect("the folder is ours");
        // runc knows the mixed cgroup hierarchy of older machines, which crun refuses.
        let runc = Command::new("runc").arg("--version").output();
        let runtime = runc.is_ok_and(|output| output.status.success());
        Self {
            folder,
            runtime: runtime.then_some("runc"),
        }
    }

    /// A folder for the files of a test.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Builds an image that consists of busybox and of a file `/hello`.
    pub(crate) fn build<'a>(&self, image: &'a str, hello: &str) -> &'a str {
        let context = self.folder().join("context");
        fs::create_dir(&context).expect("the folder is ours");
        fs::copy(BUSYBOX, context.join("busybox")).expect("busybox can be read");
        fs::write(context.join("hello"), hello).expect("the folder is ours");
        let steps = "FROM scratch\nCOPY busybox /bin/busybox\nCOPY hello /hello\n";
        fs::write(context.join("Containerfile"), steps).expect("the folder is ours");
        self.succeed(&[
            "build",
            "-q",
            "--network",
            "none",
            "-t",
            image,
            text(&context),
        ]);
        image
    }

    pub(crate) fn save(&self, image: &str, format: &str, to: &Path) {
        self.succeed(&["save", "-q", "--format", format, "-o", text(to), image]);
    }

    pub(crate) fn forget(&self, image: &str) {
        self.succeed(&["rmi", image]);
    }

    pub(crate) fn has(&self, image: &str) -> bool {
        let answer = self.command(&["image", "exists", image]).output();
        answer.expect("podman starts").status.success()
    }

    pub(crate) fn load(&self, from: &Path) {
        self.succeed(&["load", "-q", "-i", text(from)]);
    }

    /// Runs a command in a new container of the image; answers what it printed.
    pub(crate) fn run(&self, image: &str, command: &[&str]) -> String {
        let options: &[_] = &["run", "--rm", "--pull", "never", "--network", "none"];
        self.succeed(&[options, &["--ulimit", "host", image], command].concat())
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("podman starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "podman {arguments:?}: {complaint}");
        String::from_utf8(output.stdout).expect("podman prints text")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let own = |name: &str| self.folder().join(name);
        let mut command = Command::new("podman");
        command
            .env("CONTAINERS_CONF", own("containers.conf"))
            .arg("--root")
            .arg(own("storage"))
            .arg("--runroot")
            .arg(own("state"))
            .arg("--tmpdir")
            .arg(own("temporary"))
            .args(["--storage-driver", "vfs", "--events-backend", "none"])
            .args(["--cgroup-manager", "cgroupfs"])
            .args(self.runtime.map(|name| format!("--runtime={name}")))
            .args(arguments)
            .timeout(PATIENCE);
        command
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}
