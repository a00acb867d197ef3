//! The tables, and how they came to be: one migration per version, each of which may be applied again without harm.
//!
//! Rows are replaced by rows of the same key (`ReplacingMergeTree`): writing the same facts twice leaves one of them.
//! Retention counts from `ingested`, not from packet time: a replayed old capture must not expire on arrival.

use serde::Deserialize;

use super::text::identifier;

/// Highest version that this program knows.
pub const VERSION: u32 = 2;

/// How long rows stay, in days from ingestion; 0 keeps them for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Link metrics, taps, capture health: one row per tick.
    pub metrics_days: u32,
    /// Flows and queue pairs: one row per tick each.
    pub flows_days: u32,
    /// Findings, links and jobs.
    pub findings_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { metrics_days: 30, flows_days: 7, findings_days: 400 }
    }
}

impl Retention {
    fn days(&self, kept: Kept) -> u32 {
        match kept {
            Kept::Metrics => self.metrics_days,
            Kept::Flows => self.flows_days,
            Kept::Findings => self.findings_days,
        }
    }
}

/// Which retention a table follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Metrics,
    Flows,
    Findings,
}

/// One server, or a named cluster of shards and replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// One server.
    Single,
    /// Replicated local tables with a distributed one in front.
    Cluster(String),
}

/// One table.
pub struct Table {
    /// Name without database.
    pub name: &'static str,
    columns: &'static str,
    /// Empty: not partitioned.
    partition: &'static str,
    order: &'static str,
    /// Of rows with the same key the one with the highest stays.
    version: &'static str,
    /// In a cluster, rows of one key must meet in one shard.
    shard: &'static str,
    kept: Kept,
}

/// Days of packet time. Not `toDate`: hostile times reach beyond its range.
const BY_DAY: &str = "intDiv(start_ns, 86400000000000)";

/// Every table, in the order of creation.
pub const TABLES: &[Table] = &[
    Table {
        name: "ticks",
        columns: include_str!("columns/ticks.sql"),
        partition: BY_DAY,
        order: "intDiv(start_ns, 3600000000000), sensor, run, sequence",
        version: "ingested",
        shard: "cityHash64(sensor, run)",
        kept: Kept::Metrics,
    },
    Table {
        name: "links",
        columns: include_str!("columns/links.sql"),
        partition: "",
        order: "link, sensor, run, link_index, sequence",
        version: "ingested",
        shard: "cityHash64(sensor, run)",
        kept: Kept::Findings,
    },
    Table {
        name: "link_metrics",
        columns: include_str!("columns/link_metrics.sql"),
        partition: BY_DAY,
        order: "link, start_ns, sensor, run, sequence, link_index",
        version: "ingested",
        shard: "cityHash64(link)",
        kept: Kept::Metrics,
    },
    Table {
        name: "flows",
        columns: include_str!("columns/flows.sql"),
        partition: BY_DAY,
        order: "intDiv(start_ns, 60000000000), src, dst, key_sport, dport, protocol, ifNull(dst_qp, 4294967295), start_ns, \
                sensor, run, sequence",
        version: "ingested",
        shard: "cityHash64(src, dst)",
        kept: Kept::Flows,
    },
    Table {
        name: "qps",
        columns: include_str!("columns/qps.sql"),
        partition: BY_DAY,
        order: "intDiv(start_ns, 60000000000), src, dst, dst_qp, start_ns, sensor, run, sequence",
        version: "ingested",
        shard: "cityHash64(src, dst)",
        kept: Kept::Flows,
    },
    Table {
        name: "taps",
        columns: include_str!("columns/taps.sql"),
        partition: BY_DAY,
        order: "tap, start_ns, mirror_kind, ifNull(mirror_session, 4294967295), ifNull(mirror_vlan, 65535), \
                ifNull(mirror_port, 4294967295), ifNull(mirror_source, ''), sensor, run, sequence",
        version: "ingested",
        shard: "cityHash64(tap)",
        kept: Kept::Metrics,
    },
    Table {
        name: "findings",
        columns: include_str!("columns/findings.sql"),
        partition: "",
        order: "since_ns, sensor, run, id",
        version: "sequence",
        shard: "cityHash64(id)",
        kept: Kept::Findings,
    },
    Table {
        name: "jobs",
        columns: include_str!("columns/jobs.sql"),
        partition: "",
        order: "sensor, run, id",
        version: "sequence",
        shard: "cityHash64(sensor, run)",
        kept: Kept::Findings,
    },
];

/// A version of the schema.
pub struct Migration {
    /// Counts from 1.
    pub version: u32,
    /// What it does.
    pub note: &'static str,
    statements: fn(&Target<'_>) -> Vec<String>,
}

impl Migration {
    /// What is sent, in order.
    pub fn statements(&self, target: &Target<'_>) -> Vec<String> {
        (self.statements)(target)
    }
}

/// All, oldest first.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        note: "ticks, links, link metrics, flows, queue pairs, taps, findings, runs",
        statements: first,
    },
    Migration { version: 2, note: "jobs", statements: second },
];

/// Where tables are made.
pub struct Target<'a> {
    /// Database.
    pub database: &'a str,
    /// Server or cluster.
    pub form: &'a Form,
    /// How long rows stay.
    pub retention: Retention,
}

impl Target<'_> {
    fn name(&self, table: &str) -> String {
        format!("{}.{}", identifier(self.database), identifier(table))
    }

    fn on_cluster(&self) -> String {
        match self.form {
            Form::Single => String::new(),
            Form::Cluster(cluster) => format!(" ON CLUSTER {}", identifier(cluster)),
        }
    }

    /// The table that holds the rows.
    fn stored(&self, table: &str) -> String {
        match self.form {
            Form::Single => table.to_owned(),
            Form::Cluster(_) => format!("{table}_local"),
        }
    }

    fn engine(&self, version: &str) -> String {
        match self.form {
            Form::Single => format!("ReplacingMergeTree({version})"),
            Form::Cluster(_) => format!(
                "ReplicatedReplacingMergeTree('/clickhouse/tables/{{shard}}/{{database}}/{{table}}', '{{replica}}', {version})"
            ),
        }
    }

    /// The database itself.
    pub fn create_database(&self) -> String {
        format!("CREATE DATABASE IF NOT EXISTS {}{}", identifier(self.database), self.on_cluster())
    }

    /// The record of versions.
    pub fn create_versions(&self) -> Vec<String> {
        let columns = "version UInt32, applied DateTime('UTC') DEFAULT now('UTC'), note String";
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {}{} ({columns}) ENGINE = {} ORDER BY version",
            self.name(&self.stored("schema_version")),
            self.on_cluster(),
            self.engine("applied")
        );
        std::iter::once(create).chain(self.distributed("schema_version", "version")).collect()
    }

    fn create(&self, table: &Table) -> Vec<String> {
        let partition =
            if table.partition.is_empty() { String::new() } else { format!(" PARTITION BY {}", table.partition) };
        let window = match self.form {
            Form::Single => "non_replicated_deduplication_window = 1000",
            Form::Cluster(_) => "replicated_deduplication_window = 1000",
        };
        let whole_parts = u8::from(!table.partition.is_empty());
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {}{} ({}, ingested DateTime('UTC') DEFAULT now('UTC') CODEC(DoubleDelta, ZSTD(1))) \
             ENGINE = {}{partition} ORDER BY ({}){} SETTINGS ttl_only_drop_parts = {whole_parts}, {window}",
            self.name(&self.stored(table.name)),
            self.on_cluster(),
            table.columns.trim_end().trim_end_matches(','),
            self.engine(table.version),
            table.order,
            self.ttl(table).map(|ttl| format!(" TTL {ttl}")).unwrap_or_default(),
        );
        std::iter::once(create).chain(self.distributed(table.name, table.shard)).collect()
    }

    fn ttl(&self, table: &Table) -> Option<String> {
        let days = self.retention.days(table.kept);
        (days > 0).then(|| format!("ingested + toIntervalDay({days})"))
    }

    fn distributed(&self, table: &str, shard: &str) -> Option<String> {
        let Form::Cluster(cluster) = self.form else { return None };
        let (whole, local) = (self.name(table), self.stored(table));
        Some(format!(
            "CREATE TABLE IF NOT EXISTS {whole}{} AS {} ENGINE = Distributed({}, {}, {}, {shard})",
            self.on_cluster(),
            self.name(&local),
            identifier(cluster),
            identifier(self.database),
            identifier(&local),
        ))
    }

    /// What brings a table's retention to the wanted one, when `engine` (as the server tells it) says otherwise.
    pub fn retain(&self, table: &Table, engine: &str) -> Option<String> {
        let stored = self.name(&self.stored(table.name));
        match self.ttl(table) {
            Some(ttl) if !engine.contains(&format!("TTL {ttl} ")) && !engine.ends_with(&format!("TTL {ttl}")) => {
                Some(format!("ALTER TABLE {stored}{} MODIFY TTL {ttl}", self.on_cluster()))
            }
            None if engine.contains(" TTL ") => Some(format!("ALTER TABLE {stored}{} REMOVE TTL", self.on_cluster())),
            _ => None,
        }
    }

    /// Name of the table that holds a table's rows.
    pub fn stored_name(&self, table: &Table) -> String {
        self.stored(table.name)
    }
}

fn first(target: &Target<'_>) -> Vec<String> {
    let runs = format!(
        "CREATE VIEW IF NOT EXISTS {}{} AS SELECT t.sensor AS sensor, t.run AS run, min(t.start_ns) AS first_ns, \
         max(t.end_ns) AS last_ns, uniqExact(t.sequence) AS ticks, sum(t.frames) AS frames, max(t.ingested) AS last_ingested \
         FROM {} AS t FINAL GROUP BY t.sensor, t.run",
        target.name("runs"),
        target.on_cluster(),
        target.name("ticks"),
    );
    TABLES.iter().flat_map(|table| target.create(table)).chain(std::iter::once(runs)).collect()
}

fn second(target: &Target<'_>) -> Vec<String> {
    TABLES.iter().filter(|table| table.name == "jobs").flat_map(|table| target.create(table)).collect()
}

/// Every statement that makes the tables in a cluster, in order: for those who apply them by hand.
pub fn cluster_statements(database: &str, cluster: &str, retention: Retention) -> Vec<String> {
    let form = Form::Cluster(cluster.to_owned());
    let target = Target { database, form: &form, retention };
    let mut all = vec![target.create_database()];
    all.extend(target.create_versions());
    all.extend(MIGRATIONS.iter().flat_map(|migration| migration.statements(&target)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_up_to_the_newest() {
        let versions: Vec<u32> = MIGRATIONS.iter().map(|m| m.version).collect();
        assert_eq!(versions, (1..=VERSION).collect::<Vec<_>>());
    }

    #[test]
    fn retention_changes_only_what_differs() {
        let retention = Retention { metrics_days: 3, flows_days: 0, findings_days: 400 };
        let target = Target { database: "d", form: &Form::Single, retention };
        let [ticks, flows] = ["ticks", "flows"].map(|name| TABLES.iter().find(|t| t.name == name).unwrap());
        let engine = |ttl: &str| format!("ReplacingMergeTree(ingested) ORDER BY x{ttl} SETTINGS a = 1");
        assert_eq!(target.retain(ticks, &engine(" TTL ingested + toIntervalDay(3)")), None);
        let longer = target.retain(ticks, &engine(" TTL ingested + toIntervalDay(30)")).unwrap();
        assert_eq!(longer, "ALTER TABLE `d`.`ticks` MODIFY TTL ingested + toIntervalDay(3)");
        assert_eq!(target.retain(flows, &engine("")), None);
        assert_eq!(
            target.retain(flows, &engine(" TTL ingested + toIntervalDay(7)")).unwrap(),
            "ALTER TABLE `d`.`flows` REMOVE TTL"
        );
    }
}
