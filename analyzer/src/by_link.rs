//! A table by link: links' indices are dense, so a place by index costs neither search nor allocation of its own.

use crate::tick::LinkId;

/// Most links followed; as many as the totals keep.
pub const MAX_LINKS: usize = 1 << 16;

/// One value per link, for links below [`MAX_LINKS`].
#[derive(Clone, Debug)]
pub struct ByLink<T> {
    places: Vec<Option<T>>,
    used: usize,
}

impl<T> Default for ByLink<T> {
    fn default() -> Self {
        Self { places: Vec::new(), used: 0 }
    }
}

impl<T> ByLink<T> {
    /// A link's value.
    pub fn get(&self, link: LinkId) -> Option<&T> {
        self.places.get(link.0 as usize)?.as_ref()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, link: LinkId) -> Option<&mut T> {
        self.places.get_mut(link.0 as usize)?.as_mut()
    }

    /// Gives a link a value; the one it had. A link beyond the table gets none.
    pub fn insert(&mut self, link: LinkId, value: T) -> Option<T> {
        let before = self.place(link)?.replace(value);
        self.used += usize::from(before.is_none());
        before
    }

    /// A link's value, made where there is none; nothing for a link beyond the table.
    pub fn made(&mut self, link: LinkId) -> Option<&mut T>
    where
        T: Default,
    {
        let missing = self.get(link).is_none();
        self.used += usize::from(missing && (link.0 as usize) < MAX_LINKS);
        Some(self.place(link)?.get_or_insert_default())
    }

    fn place(&mut self, link: LinkId) -> Option<&mut Option<T>> {
        let index = link.0 as usize;
        if index >= MAX_LINKS {
            return None;
        }
        if index >= self.places.len() {
            self.places.resize_with(index + 1, || None);
        }
        self.places.get_mut(index)
    }

    /// All values, in order of the links.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }

    /// Links with a value.
    pub fn len(&self) -> usize {
        self.used
    }

    /// No link has one.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_order_of_links_and_are_counted() {
        let mut table: ByLink<u32> = ByLink::default();
        assert_eq!(table.insert(LinkId(7), 70), None);
        *table.made(LinkId(2)).unwrap() += 20;
        assert_eq!((table.insert(LinkId(7), 71), table.len()), (Some(70), 2));
        assert_eq!(table.values().copied().collect::<Vec<_>>(), [20, 71]);
        assert_eq!((table.get(LinkId(7)), table.get(LinkId(9))), (Some(&71), None));
    }

    #[test]
    fn a_link_beyond_the_table_has_no_place() {
        let mut table: ByLink<u32> = ByLink::default();
        assert_eq!(
            (table.made(LinkId(u32::MAX)).copied(), table.insert(LinkId(u32::MAX), 1), table.len()),
            (None, None, 0)
        );
    }
}
