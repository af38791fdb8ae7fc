//! Why two nodes did not come together, in words, and what would help.

use crate::wire::Mapping;

/// For how both routers map, ours first.
pub(super) fn advice(mappings: (Mapping, Mapping)) -> &'static str {
    match mappings {
        (Mapping::Varying, Mapping::Varying) => {
            "both routers give each connection another port (symmetric NAT), so that neither side can be \
             told where the other will come from; a forwarded port or a port mapping at either helps"
        }
        (Mapping::Varying, _) => {
            "our router gives each connection another port (symmetric NAT), and theirs lets in only ports \
             that it knows; a forwarded port or a port mapping at either helps"
        }
        (_, Mapping::Varying) => {
            "their router gives each connection another port (symmetric NAT), and ours lets in only ports \
             that it knows; a forwarded port or a port mapping at either helps"
        }
        (Mapping::Open, _) | (_, Mapping::Open) => {
            "a firewall on the way lets no UDP through to the other side, though its address is its own"
        }
        (Mapping::Steady | Mapping::Unknown, Mapping::Steady | Mapping::Unknown) => {
            "both sides sent and nothing came through; a firewall on the way may drop UDP"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_routers_has_its_advice() {
        let all = [
            Mapping::Open,
            Mapping::Steady,
            Mapping::Unknown,
            Mapping::Varying,
        ];
        for (one, other) in all
            .into_iter()
            .flat_map(|one| all.map(|other| (one, other)))
        {
            let (here, there) = (advice((one, other)), advice((other, one)));
            let symmetric = [one, other].contains(&Mapping::Varying);
            assert_eq!(
                here.contains("symmetric NAT"),
                symmetric,
                "{one:?} {other:?}"
            );
            assert_eq!(here.contains("our router"), there.contains("their router"));
        }
    }
}
