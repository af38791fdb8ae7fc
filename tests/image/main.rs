//! A real container image goes through the swarm and runs.
//!
//! podman builds the image from Debian's static busybox, so no registry is asked for anything; the
//! archive travels from one swarmhold process to another over QUIC on loopback; podman forgets the
//! image, loads it from what arrived, and runs it.
//!
//! Where podman or busybox is not to be had, the tests say so and pass, unless `SWARMHOLD_NO_SKIP`
//! is set: then they fail. CI sets it.

mod node;
mod podman;
#[path = "../support/skip.rs"]
mod skip;

use std::fs;

use swarmhold::digest::Digest;

use node::Home;
use podman::Podman;

#[test]
fn a_container_image_travels_and_runs() {
    let Some(podman) = Podman::or_skip() else {
        return;
    };
    let image = podman.build("localhost/swarmhold-traveller:1", "hello from the swarm");
    let (archive, copy) = (
        podman.folder().join("app.tar"),
        podman.folder().join("copy.tar"),
    );
    podman.save(image, "docker-archive", &archive);
    podman.forget(image);
    assert!(
        !podman.has(image),
        "the image is gone, so that only the copy can bring it back"
    );

    let publisher = Home::new();
    publisher.create(&archive);
    let share = publisher.share(&archive);
    Home::new().get(share.link(), &copy);

    let (sent, received) = (fs::read(&archive).unwrap(), fs::read(&copy).unwrap());
    assert!(
        sent == received,
        "{} bytes became {} others",
        sent.len(),
        received.len()
    );
    podman.load(&copy);
    assert!(podman.has(image));
    assert_eq!(
        podman.run(image, &["/bin/busybox", "cat", "/hello"]),
        "hello from the swarm"
    );
    assert_eq!(
        podman.run(image, &["/bin/busybox", "echo", "hello"]),
        "hello\n"
    );
}

#[test]
fn the_program_id_of_a_blob_is_its_oci_digest() {
    let Some(podman) = Podman::or_skip() else {
        return;
    };
    let image = podman.build("localhost/swarmhold-digests:1", "hello");
    let layout = podman.folder().join("layout");
    podman.save(image, "oci-dir", &layout);

    let publisher = Home::new();
    let blobs: Vec<_> = fs::read_dir(layout.join("blobs/sha256")).unwrap().collect();
    assert_eq!(blobs.len(), 4, "two layers, a config and a manifest");
    for blob in blobs {
        let blob = blob.unwrap().path();
        let digest: Digest = blob.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let link = publisher.create(&blob);
        assert!(link.starts_with(&format!("swarmhold:{digest}?")), "{link}");
    }
}
