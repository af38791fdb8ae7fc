-- Changes, each in one call, within the one statement that writes a batch. Made anew by whichever version of the
-- program opens the index to write.
--
-- Invariants between changes: `nodes.files` and `subnets.files` count rows of `holders`; `entries.holders` counts an
-- entry's, and `entries.seeders` the subnets among those that are whole; an entry without holders does not exist.
-- Whoever writes holds one lock, so several masters write one after the other.

-- New names go into the index of pieces at once: what only waits for it is read whole by each search.
ALTER INDEX swarmhold.entries_folded SET (fastupdate = off);

-- Which entry comes before which: `Place` in src/index/place.rs, to the bit.
CREATE OR REPLACE FUNCTION swarmhold.place(seeders integer, crowd integer, number bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT ((15 - least(length(ltrim(seeders::bit(32)::text, '0')), 15))::bigint << 44)
        | (crowd::bigint << 42)
        | ((1::bigint << 42) - 1 - least(number, (1::bigint << 42) - 1))
$$;

-- How crowded a subnet is: `crowd` in the same file.
CREATE OR REPLACE FUNCTION swarmhold.crowd(files bigint) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN files IS NULL OR files > 1000 THEN 3 WHEN files > 100 THEN 2 WHEN files > 10 THEN 1 ELSE 0 END
$$;

-- Counts an entry's holders anew, and puts it where it belongs, or nowhere.
CREATE OR REPLACE FUNCTION swarmhold.settle(entry_ bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    holders_ bigint; seeders_ bigint; crowd_ integer;
BEGIN
    SELECT count(*), count(DISTINCT h.subnet) FILTER (WHERE h.whole),
           swarmhold.crowd(min(s.files) FILTER (WHERE h.whole))
    INTO holders_, seeders_, crowd_
    FROM swarmhold.holders h JOIN swarmhold.subnets s ON s.subnet = h.subnet WHERE h.entry = entry_;
    IF holders_ = 0 THEN
        DELETE FROM swarmhold.entries WHERE number = entry_;
        RETURN;
    END IF;
    UPDATE swarmhold.entries
    SET place = swarmhold.place(seeders_::integer, crowd_, number), crowd = crowd_, seeders = seeders_, holders = holders_
    WHERE number = entry_ AND (crowd, seeders, holders) IS DISTINCT FROM (crowd_::smallint, seeders_, holders_);
END
$$;

-- Adds to what is counted of a subnet.
CREATE OR REPLACE FUNCTION swarmhold.count_files(subnet_ bigint, more bigint) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO swarmhold.subnets VALUES (subnet_, more)
    ON CONFLICT (subnet) DO UPDATE SET files = swarmhold.subnets.files + more;
    DELETE FROM swarmhold.subnets WHERE subnet = subnet_ AND files <= 0;
$$;

-- Counts the holders of each entry of a subnet anew, whose crowd is another now.
CREATE OR REPLACE FUNCTION swarmhold.settle_subnet(subnet_ bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM swarmhold.settle(e.entry) FROM (
        SELECT DISTINCT h.entry FROM swarmhold.nodes n JOIN swarmhold.holders h ON h.node = n.number
        WHERE n.subnet = subnet_
    ) e;
END
$$;

-- The row of a node, as it is reached now, seen just now.
CREATE OR REPLACE FUNCTION swarmhold.note_node(now_ bigint, c jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    node swarmhold.nodes; subnet_ bigint := (c->>'subnet')::bigint;
BEGIN
    INSERT INTO swarmhold.nodes (address, remote, listen, subnet, open, files, seen)
    VALUES (decode(c->>'address', 'hex'), c->>'remote', c->>'listen', subnet_, (c->>'open')::boolean, 0, now_)
    ON CONFLICT (address, remote) DO UPDATE
    SET listen = excluded.listen, open = excluded.open, seen = greatest(swarmhold.nodes.seen, excluded.seen)
    RETURNING * INTO node;
    -- it counts to another subnet than before
    IF node.subnet <> subnet_ THEN
        UPDATE swarmhold.nodes SET subnet = subnet_ WHERE number = node.number;
        UPDATE swarmhold.holders SET subnet = subnet_ WHERE holders.node = node.number;
        PERFORM swarmhold.count_files(node.subnet, -node.files), swarmhold.count_files(subnet_, node.files);
    END IF;
    RETURN node.number;
END
$$;

CREATE OR REPLACE FUNCTION swarmhold.hold(entry_ bigint, node_ bigint, c jsonb, whole_ boolean) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO swarmhold.holders
    VALUES (entry_, node_, (c->>'subnet')::bigint, whole_, (c->>'held')::bigint, (c->>'map')::bigint,
            (c->>'expires')::bigint)
    ON CONFLICT (entry, node) DO UPDATE
    SET subnet = excluded.subnet, whole = excluded.whole, chunks = excluded.chunks, map = excluded.map,
        expires = excluded.expires
$$;

-- A node has proven that it holds a container. -1 if it is listed, -3 if it has as many listed as it may.
CREATE OR REPLACE FUNCTION swarmhold.list(now_ bigint, limits jsonb, c jsonb) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    node_ bigint := swarmhold.note_node(now_, c);
    subnet_ bigint := (c->>'subnet')::bigint;
    entry_ swarmhold.entries;
    of_key bigint; of_subnet bigint; whole_ boolean; crowd_ integer;
BEGIN
    SELECT * INTO entry_ FROM swarmhold.entries WHERE manifest = decode(c->>'manifest', 'hex');
    IF NOT EXISTS (SELECT FROM swarmhold.holders WHERE entry = entry_.number AND node = node_) THEN
        SELECT coalesce(sum(files), 0) INTO of_key FROM swarmhold.nodes WHERE address = decode(c->>'address', 'hex');
        SELECT coalesce(max(files), 0) INTO of_subnet FROM swarmhold.subnets WHERE subnet = subnet_;
        IF of_key >= (limits->>'key')::bigint OR of_subnet >= (limits->>'subnet')::bigint
           OR entry_.holders >= (limits->>'holders')::bigint THEN
            RETURN -3;
        END IF;
        UPDATE swarmhold.nodes SET files = files + 1 WHERE number = node_;
        PERFORM swarmhold.count_files(subnet_, 1);
        IF swarmhold.crowd(of_subnet) <> swarmhold.crowd(of_subnet + 1) THEN
            PERFORM swarmhold.settle_subnet(subnet_);
        END IF;
    END IF;
    whole_ := (c->>'held')::bigint >= (c->>'chunks')::bigint;
    IF entry_.number IS NOT NULL THEN
        PERFORM swarmhold.hold(entry_.number, node_, c, whole_);
        PERFORM swarmhold.settle(entry_.number);
        RETURN -1;
    END IF;
    -- where it belongs at once: a row that moves is written anew in every index
    entry_.number := nextval('swarmhold.entry_number');
    PERFORM swarmhold.hold(entry_.number, node_, c, whole_);
    crowd_ := swarmhold.crowd(CASE WHEN whole_ THEN of_subnet + 1 END);
    INSERT INTO swarmhold.entries
    VALUES (entry_.number, swarmhold.place(whole_::integer, crowd_, entry_.number), crowd_,
            decode(c->>'manifest', 'hex'), decode(c->>'program', 'hex'), decode(c->>'owner', 'hex'),
            c->>'name', c->>'folded', (c->>'size')::bigint, (c->>'chunks')::bigint, (c->>'time')::bigint,
            whole_::integer, 1);
    RETURN -1;
END
$$;

-- A node says again, or anew, how much it holds. -1 if it is listed, -2 if it has to prove that first: to hold all of
-- it is to be counted as a seeder.
CREATE OR REPLACE FUNCTION swarmhold.refresh(now_ bigint, c jsonb) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    node_ bigint; entry_ bigint; chunks_ bigint; was boolean; whole_ boolean;
BEGIN
    SELECT number, chunks INTO entry_, chunks_ FROM swarmhold.entries WHERE manifest = decode(c->>'manifest', 'hex');
    IF entry_ IS NULL THEN
        RETURN -2;
    END IF;
    node_ := swarmhold.note_node(now_, c);
    SELECT whole INTO was FROM swarmhold.holders WHERE entry = entry_ AND node = node_;
    whole_ := (c->>'held')::bigint >= chunks_;
    IF was IS NULL OR (whole_ AND NOT was) THEN
        RETURN -2;
    END IF;
    PERFORM swarmhold.hold(entry_, node_, c, whole_);
    PERFORM swarmhold.settle(entry_);
    RETURN -1;
END
$$;

-- Takes a holder off an entry. Answers how many there were: one or none.
CREATE OR REPLACE FUNCTION swarmhold.drop_holder(entry_ bigint, node_ bigint) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    subnet_ bigint;
BEGIN
    DELETE FROM swarmhold.holders WHERE entry = entry_ AND node = node_ RETURNING subnet INTO subnet_;
    IF subnet_ IS NULL THEN
        RETURN 0;
    END IF;
    UPDATE swarmhold.nodes SET files = files - 1 WHERE number = node_;
    PERFORM swarmhold.count_files(subnet_, -1);
    PERFORM swarmhold.settle(entry_);
    RETURN 1;
END
$$;

CREATE OR REPLACE FUNCTION swarmhold.withdraw(c jsonb) RETURNS integer
LANGUAGE sql AS $$
    SELECT coalesce(sum(swarmhold.drop_holder(d.entry, d.node)), 0)::integer FROM (
        SELECT h.entry, h.node
        FROM swarmhold.nodes n
        JOIN swarmhold.holders h ON h.node = n.number
        JOIN swarmhold.entries e ON e.number = h.entry
        WHERE n.address = decode(c->>'address', 'hex') AND n.remote = c->>'remote'
          AND (c->>'manifest' IS NULL OR e.manifest = decode(c->>'manifest', 'hex'))
        OFFSET 0
    ) d
$$;

-- What is dead or past its time goes, at most so much of it.
CREATE OR REPLACE FUNCTION swarmhold.sweep(now_ bigint, forget bigint, most integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    gone integer; node_ bigint;
BEGIN
    SELECT coalesce(sum(swarmhold.drop_holder(d.entry, d.node)), 0) INTO gone FROM (
        SELECT entry, node FROM swarmhold.holders WHERE expires < now_ LIMIT most
    ) d;
    FOR node_ IN SELECT number FROM swarmhold.nodes WHERE seen < now_ - forget LIMIT 100 LOOP
        SELECT gone + coalesce(sum(swarmhold.drop_holder(d.entry, d.node)), 0) INTO gone FROM (
            SELECT entry, node FROM swarmhold.holders WHERE node = node_ LIMIT greatest(most - gone, 0)
        ) d;
        DELETE FROM swarmhold.nodes WHERE number = node_ AND files = 0;
        EXIT WHEN gone >= most;
    END LOOP;
    RETURN gone;
END
$$;

-- One change.
CREATE OR REPLACE FUNCTION swarmhold.change(now_ bigint, limits jsonb, c jsonb) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    rows integer;
BEGIN
    CASE c->>'do'
    WHEN 'list' THEN RETURN swarmhold.list(now_, limits, c);
    WHEN 'refresh' THEN RETURN swarmhold.refresh(now_, c);
    WHEN 'withdraw' THEN RETURN swarmhold.withdraw(c);
    WHEN 'seen' THEN
        UPDATE swarmhold.nodes n SET seen = greatest(n.seen, now_)
        FROM jsonb_to_recordset(c->'seats') AS s (address text, remote text)
        WHERE n.address = decode(s.address, 'hex') AND n.remote = s.remote;
    WHEN 'left' THEN
        UPDATE swarmhold.nodes SET seen = least(seen, now_ - (limits->>'alive')::bigint - 1)
        WHERE address = decode(c->>'address', 'hex') AND remote = c->>'remote';
    WHEN 'revive' THEN
        -- another master that is up has seen who is alive
        UPDATE swarmhold.nodes SET seen = greatest(seen, now_)
        WHERE NOT EXISTS (SELECT FROM swarmhold.nodes WHERE seen >= now_ - (limits->>'alive')::bigint);
    WHEN 'sweep' THEN RETURN swarmhold.sweep(now_, (limits->>'forget')::bigint, (c->>'limit')::integer);
    END CASE;
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN rows;
END
$$;

-- A batch: all of it or nothing. Answers each change.
CREATE OR REPLACE FUNCTION swarmhold.write(now_ bigint, limits jsonb, changes jsonb) RETURNS integer[]
LANGUAGE plpgsql AS $$
DECLARE
    outcomes integer[] := '{}'; c jsonb;
BEGIN
    PERFORM pg_advisory_xact_lock(8315163451921);
    FOR c IN SELECT * FROM jsonb_array_elements(changes) LOOP
        outcomes := outcomes || swarmhold.change(now_, limits, c);
    END LOOP;
    RETURN outcomes;
END
$$;
