//! Percentiles of nanoseconds: the buckets of an HdrHistogram with two significant digits, so that sparse rows of
//! (bucket, count) from many ticks, workers and database rows merge by adding and lose nothing against recording directly.
//!
//! Buckets follow Gil Tene's HdrHistogram layout for lowest value 1 and 2 digits: 256 linear sub-buckets, of which the
//! upper half repeats for each doubling.

use crate::report::Quantiles;
use crate::tick::SparseHistogram;

const HALF_BITS: u32 = 7;
const HALF: u64 = 1 << HALF_BITS;

/// Longest value kept, in ns (about 9.8 hours); longer ones count as this.
pub const MAX_NS: u64 = (1 << 45) - 1;

/// Bucket of a value in ns.
pub fn bucket_of(value_ns: u64) -> u16 {
    let value = value_ns.min(MAX_NS);
    let magnitude = (63 - (value | (HALF * 2 - 1)).leading_zeros() as u64).saturating_sub(u64::from(HALF_BITS)) as u32;
    let sub = value >> magnitude;
    // Magnitude 0 holds 0..256; each further one adds 128 buckets for 128..256 of its unit.
    (u64::from(magnitude) * HALF + sub) as u16
}

/// Highest value that falls into a bucket, in ns: what HdrHistogram reports for it.
pub fn value_of(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < HALF * 2 {
        return bucket;
    }
    let magnitude = (bucket / HALF - 1).min(44);
    let sub = bucket - magnitude * HALF;
    ((sub + 1) << magnitude) - 1
}

/// Collects values between two ticks.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    counts: Vec<(u16, u32)>,
    sorted: bool,
}

impl Sketch {
    /// Records one value in ns.
    pub fn record(&mut self, value_ns: u64) {
        let bucket = bucket_of(value_ns);
        if let Some(last) = self.counts.last_mut()
            && last.0 == bucket
        {
            last.1 = last.1.saturating_add(1);
            return;
        }
        self.counts.push((bucket, 1));
        self.sorted = false;
        if self.counts.len() >= 1024 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        if self.sorted {
            return;
        }
        self.counts.sort_unstable_by_key(|&(bucket, _)| bucket);
        self.counts.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        self.sorted = true;
    }

    /// What was recorded since the last call.
    pub fn take(&mut self) -> SparseHistogram {
        self.compact();
        self.sorted = false;
        SparseHistogram(std::mem::take(&mut self.counts))
    }
}

impl SparseHistogram {
    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        if other.0.is_empty() {
            return;
        }
        let mut sketch = Sketch { counts: std::mem::take(&mut self.0), sorted: false };
        sketch.counts.extend_from_slice(&other.0);
        *self = sketch.take();
    }

    /// Number of samples.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|&(_, n)| u64::from(n)).sum()
    }
}

/// All that was merged into one place; gives quantiles. Holds the buckets in use only: most flows have few.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    /// Bucket and count, ascending.
    rows: Vec<(u16, u64)>,
    total: u64,
}

impl Latency {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sparse row.
    pub fn merge(&mut self, row: &SparseHistogram) {
        let mut from = 0;
        for &(bucket, n) in &row.0 {
            // The lowest value that HdrHistogram tells from others is 1.
            let bucket = bucket.max(1);
            self.total = self.total.saturating_add(n.into());
            let rest = self.rows.get(from..).unwrap_or_default();
            from += rest.partition_point(|&(b, _)| b < bucket);
            match self.rows.get_mut(from) {
                Some((b, sum)) if *b == bucket => *sum = sum.saturating_add(n.into()),
                _ => self.rows.insert(from, (bucket, n.into())),
            }
        }
    }

    /// Percentiles, or `None` where nothing was recorded.
    pub fn quantiles(&self) -> Option<Quantiles> {
        let &(highest, _) = self.rows.last()?;
        let [p50, p90, p99, p999] = self.at([0.5, 0.9, 0.99, 0.999]);
        Some(Quantiles { count: self.total, p50, p90, p99, p999, max: value_of(highest) })
    }

    /// Values at ascending quantiles, as HdrHistogram defines them: the first bucket up to which so many values lie.
    fn at<const N: usize>(&self, quantiles: [f64; N]) -> [u64; N] {
        let mut rows = self.rows.iter();
        let (mut reached, mut value) = (0u64, 0);
        quantiles.map(|quantile| {
            let wanted = ((quantile * self.total as f64).ceil() as u64).max(1);
            while reached < wanted
                && let Some(&(bucket, n)) = rows.next()
            {
                reached = reached.saturating_add(n);
                value = value_of(bucket);
            }
            value
        })
    }
}

impl SparseHistogram {
    /// Percentiles of this row alone.
    pub fn quantiles(&self) -> Option<Quantiles> {
        let mut all = Latency::new();
        all.merge(self);
        all.quantiles()
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;

    #[test]
    fn buckets_are_those_of_hdrhistogram() {
        let reference = Histogram::<u64>::new_with_bounds(1, MAX_NS, 2).unwrap();
        let mut value = 1u64;
        while value < MAX_NS {
            for v in [value, value + 1, value.saturating_mul(3) / 2] {
                let v = v.min(MAX_NS);
                assert_eq!(value_of(bucket_of(v)), reference.highest_equivalent(v), "value {v}");
            }
            value = value * 5 / 4 + 1;
        }
    }

    #[test]
    fn merged_rows_equal_direct_recording() {
        let mut direct = Histogram::<u64>::new(2).unwrap();
        let (mut even, mut odd) = (Sketch::default(), Sketch::default());
        for i in 0..5000u64 {
            let v = i * i * 7 + 1;
            direct.record(v).unwrap();
            if i % 2 == 0 { even.record(v) } else { odd.record(v) }
        }
        let mut row = even.take();
        row.merge(&odd.take());
        let q = row.quantiles().unwrap();
        let at = |quantile| direct.value_at_quantile(quantile);
        assert_eq!((q.count, q.max), (5000, direct.max()));
        assert_eq!([q.p50, q.p90, q.p99, q.p999], [at(0.5), at(0.9), at(0.99), at(0.999)]);
    }
}
