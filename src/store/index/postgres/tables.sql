-- The tables of the index, version 1, in a schema of their own. Digests are 32 bytes, times are seconds since 1970.

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE SCHEMA swarmhold;
CREATE TABLE swarmhold.version (version integer NOT NULL);
INSERT INTO swarmhold.version VALUES (0);

-- A wallet and where it speaks from; `listen` is addresses with spaces between them, `files` counts its rows in
-- `holders`. `seen` changes all the time: it has no index, and pages have room for the next version of a row.
CREATE TABLE swarmhold.nodes (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    address bytea NOT NULL,
    remote text NOT NULL,
    listen text NOT NULL,
    subnet bigint NOT NULL,
    open boolean NOT NULL,
    files integer NOT NULL,
    seen bigint NOT NULL,
    UNIQUE (address, remote)
) WITH (fillfactor = 60);
CREATE INDEX nodes_subnet ON swarmhold.nodes (subnet);

-- How many rows of `holders` the nodes of a subnet have.
CREATE TABLE swarmhold.subnets (subnet bigint PRIMARY KEY, files bigint NOT NULL) WITH (fillfactor = 60);

-- `place` says which comes first, and `crowd` goes into it. `folded` is the name as it is compared, between its marks.
CREATE SEQUENCE swarmhold.entry_number;
CREATE TABLE swarmhold.entries (
    number bigint PRIMARY KEY,
    place bigint NOT NULL UNIQUE,
    crowd smallint NOT NULL,
    manifest bytea NOT NULL UNIQUE,
    program bytea NOT NULL,
    owner bytea NOT NULL,
    name text NOT NULL,
    folded text NOT NULL,
    size bigint NOT NULL,
    chunks bigint NOT NULL,
    time bigint NOT NULL,
    seeders bigint NOT NULL,
    holders bigint NOT NULL
);
CREATE INDEX entries_program ON swarmhold.entries (program, place);
CREATE INDEX entries_owner ON swarmhold.entries (owner, place);
CREATE INDEX entries_folded ON swarmhold.entries USING gin (folded gin_trgm_ops);

CREATE TABLE swarmhold.holders (
    entry bigint NOT NULL,
    node bigint NOT NULL,
    subnet bigint NOT NULL,
    whole boolean NOT NULL,
    chunks bigint NOT NULL,
    map bigint NOT NULL,
    expires bigint NOT NULL,
    PRIMARY KEY (entry, node)
);
CREATE INDEX holders_node ON swarmhold.holders (node);
CREATE INDEX holders_expires ON swarmhold.holders (expires);
