//! The server's configuration: this machine only, one user, bounded memory, threads, logs and disk.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::TcpListener;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{Options, write_private};

/// The user that may do all; `default`, as which anyone on this machine may connect, may do nothing.
pub const USER: &str = "fabricscope";

/// Two ports of this machine that nothing listens on now, for HTTP and for the native protocol.
pub fn free_ports() -> io::Result<(u16, u16)> {
    let listeners = (TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?);
    Ok((listeners.0.local_addr()?.port(), listeners.1.local_addr()?.port()))
}

/// A new password for each start.
pub fn password() -> io::Result<String> {
    let mut random = [0u8; 24];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(hex(&random))
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A quarter of the machine's memory, from 1 to 8 GiB.
fn memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(4 << 20);
    (kib * 1024 / 4).clamp(1 << 30, 8 << 30)
}

/// Text inside XML.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Writes all files that a start needs.
pub fn write(dir: &Path, password: &str, options: &Options) -> io::Result<()> {
    let data = dir.join("data");
    fs::create_dir_all(&data)?;
    let memory = options.memory_bytes.unwrap_or_else(memory_bytes);
    write_private(&dir.join("config.xml"), &server(dir, memory, options.keep_free_bytes))?;
    write_private(&dir.join("users.xml"), &users(password, memory))?;
    fs::write(dir.join("start.sql"), "SYSTEM START LISTEN HTTP;\nSYSTEM START LISTEN TCP;\n")
}

fn server(dir: &Path, memory: u64, keep_free: u64) -> String {
    let dir = xml(&dir.to_string_lossy());
    format!(
        "<clickhouse>
  <users_config>{dir}/users.xml</users_config>
  <logger><log>{dir}/server.log</log><errorlog>{dir}/server.err.log</errorlog><size>10M</size><count>2</count></logger>
  <query_log>
    <database>system</database><table>query_log</table><flush_interval_milliseconds>7500</flush_interval_milliseconds>
    <engine>ENGINE = MergeTree PARTITION BY event_date ORDER BY event_time TTL event_date + toIntervalDay(3) SETTINGS ttl_only_drop_parts = 1</engine>
  </query_log>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <mark_cache_size>67108864</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <max_thread_pool_size>500</max_thread_pool_size>
  <background_pool_size>2</background_pool_size>
  <background_schedule_pool_size>8</background_schedule_pool_size>
  <max_concurrent_queries>50</max_concurrent_queries>
  <max_connections>200</max_connections>
  <keep_alive_timeout>30</keep_alive_timeout>
  <storage_configuration><disks><default><keep_free_space_bytes>{keep_free}</keep_free_space_bytes></default></disks></storage_configuration>
</clickhouse>
"
    )
}

fn users(password: &str, memory: u64) -> String {
    let hash = hex(&Sha256::digest(password.as_bytes()));
    let per_query = memory / 2;
    format!(
        "<clickhouse>
  <users>
    <default>
      <no_password/><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
      <grants><query>GRANT SYSTEM LISTEN ON *.*</query></grants>
    </default>
    <{USER}>
      <password_sha256_hex>{hash}</password_sha256_hex><networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile><quota>default</quota>
    </{USER}>
  </users>
  <profiles><default>
    <max_memory_usage>{per_query}</max_memory_usage>
    <max_bytes_before_external_group_by>{external}</max_bytes_before_external_group_by>
    <max_bytes_before_external_sort>{external}</max_bytes_before_external_sort>
    <max_threads>{threads}</max_threads>
  </default></profiles>
  <quotas><default/></quotas>
</clickhouse>
",
        external = per_query / 2,
        threads = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(1, 8)),
    )
}
