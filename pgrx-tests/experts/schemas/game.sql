CREATE TABLE regions (id smallint PRIMARY KEY, name text);
CREATE TABLE item_definitions (id int PRIMARY KEY, name text);
CREATE TABLE level_config (level int PRIMARY KEY, experience int NOT NULL);
CREATE TABLE players (id bigint PRIMARY KEY, region_id smallint NOT NULL REFERENCES regions, name text NOT NULL);
CREATE TABLE inventory (player_id bigint NOT NULL REFERENCES players, slot int NOT NULL, item_definition_id int NOT NULL REFERENCES item_definitions, PRIMARY KEY (player_id, slot));
CREATE TABLE sessions (id uuid PRIMARY KEY, player_id bigint NOT NULL REFERENCES players, started_at timestamptz NOT NULL);
CREATE TABLE matches (id uuid PRIMARY KEY, region_id smallint NOT NULL REFERENCES regions, started_at timestamptz NOT NULL);
CREATE TABLE match_players (match_id uuid NOT NULL REFERENCES matches, player_id bigint NOT NULL REFERENCES players, score int, PRIMARY KEY (match_id, player_id));
