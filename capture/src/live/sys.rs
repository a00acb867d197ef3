//! System calls of live capture behind safe functions: sockets, shared memory, what an error means.

#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;

/// Values that the kernel may fill in or read byte by byte.
///
/// # Safety
/// Every pattern of bytes must be a value of the type.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: integers and structures of integers.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl<const N: usize> Plain for [u8; N] {}
// SAFETY: as above.
unsafe impl<const N: usize> Plain for [u32; N] {}
// SAFETY: as above.
unsafe impl Plain for libc::xdp_umem_reg {}
// SAFETY: as above.
unsafe impl Plain for libc::xdp_mmap_offsets {}
// SAFETY: as above.
unsafe impl Plain for libc::xdp_statistics {}
// SAFETY: as above.
unsafe impl Plain for libc::sockaddr_xdp {}
// SAFETY: as above.
unsafe impl Plain for libc::sockaddr_ll {}

/// The value of all zero bytes.
pub(crate) fn zeroed<T: Plain>() -> T {
    // SAFETY: `Plain`: zeroes are a value.
    unsafe { std::mem::zeroed() }
}

pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A new socket, closed on exec.
pub(crate) fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: a system call without pointers; the descriptor it returns is ours alone.
    unsafe {
        let fd = check(libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

pub(crate) fn set_option<T: Plain>(socket: &OwnedFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `len` bytes of `value`, which has as many.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const *value).cast(), len) }).map(drop)
}

pub(crate) fn get_option<T: Plain>(socket: &OwnedFd, level: i32, name: i32) -> io::Result<T> {
    let mut value = zeroed::<T>();
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `value`, which has as many.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len) })?;
    Ok(value)
}

pub(crate) fn bind<T: Plain>(socket: &OwnedFd, address: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `len` bytes of `address`, which has as many.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const *address).cast(), len) }).map(drop)
}

/// Attaches a filter to a socket that takes no frame.
pub(crate) fn take_nothing(socket: &OwnedFd) -> io::Result<()> {
    take_bytes(socket, 0)
}

/// Attaches a filter to a socket that takes so many bytes of each frame; none: no frame.
pub(crate) fn take_bytes(socket: &OwnedFd, bytes: u32) -> io::Result<()> {
    const RETURN: u16 = 0x06;
    let mut code = [libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: bytes }];
    let program = libc::sock_fprog { len: 1, filter: code.as_mut_ptr() };
    let len = size_of::<libc::sock_fprog>() as libc::socklen_t;
    // SAFETY: the kernel reads the program and the one instruction that it points to; both live until the call is over.
    check(unsafe {
        let program = (&raw const program).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program, len)
    })
    .map(drop)
}

/// Attaches a loaded program to a socket as its filter.
pub(crate) fn attach_program(socket: RawFd, program: RawFd) -> io::Result<()> {
    let len = size_of::<RawFd>() as libc::socklen_t;
    // SAFETY: the kernel reads the four bytes of the descriptor.
    check(unsafe {
        let program = (&raw const program).cast();
        libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_ATTACH_BPF, program, len)
    })
    .map(drop)
}

/// Tells the kernel to look at a socket's rings; does not wait.
pub(crate) fn wake(socket: &OwnedFd) {
    // SAFETY: no buffer is passed.
    unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            std::ptr::null_mut(),
            0,
            libc::MSG_DONTWAIT,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        );
    }
}

/// Nanoseconds of a clock since its epoch; 0 if there is no such clock.
pub(crate) fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if result < 0 { 0 } else { time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64 }
}

/// Frames that the backlogs of all processors had no room for: the second number, in hexadecimal, of each line; 0 where it is not told.
pub(crate) fn backlog_drops() -> u64 {
    let text = std::fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default();
    let of = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    text.lines().filter_map(of).sum()
}

/// Index of an interface by its name, 0 if there is none.
pub(crate) fn interface_index(name: &str) -> u32 {
    let Ok(name) = std::ffi::CString::new(name) else { return 0 };
    // SAFETY: `name` ends with a zero byte.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}

/// Lets this process lock as much memory as rings take, where that is permitted.
pub(crate) fn raise_memory_lock_limit() {
    let all = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the kernel reads one `rlimit`.
    unsafe {
        libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const all);
    }
}

/// Most memory in bytes that this process may lock; none if there is no limit.
pub(crate) fn memory_lock_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one `rlimit`.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) };
    (result == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// Memory shared with the kernel, or given to it.
pub(crate) struct Memory {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone and may be used from whatever thread holds it.
unsafe impl Send for Memory {}

impl Memory {
    /// Fresh memory on huge pages where there are any; says whether there were.
    pub(crate) fn fresh(len: usize) -> io::Result<(Self, bool)> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        if let Ok(memory) = Self::map(len, flags | libc::MAP_HUGETLB, -1, 0) {
            return Ok((memory, true));
        }
        Ok((Self::map(len, flags, -1, 0)?, false))
    }

    /// A socket's ring.
    pub(crate) fn of_socket(socket: &OwnedFd, len: usize, offset: i64) -> io::Result<Self> {
        Self::map(len, libc::MAP_SHARED | libc::MAP_POPULATE, socket.as_raw_fd(), offset)
    }

    fn map(len: usize, flags: i32, fd: i32, offset: i64) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, fd, offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast::<u8>()).ok_or_else(|| io::Error::other("mmap gave no address"))?;
        Ok(Self { start, len })
    }

    pub(crate) fn address(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Pointer to `size` bytes at `offset`, if they lie within and are aligned for `T`.
    pub(crate) fn at<T>(&self, offset: usize, size: usize) -> Option<*mut T> {
        let within = offset.checked_add(size).is_some_and(|end| end <= self.len);
        // SAFETY: the offset lies within the mapping.
        let pointer = within.then(|| unsafe { self.start.as_ptr().add(offset) }.cast::<T>())?;
        pointer.is_aligned().then_some(pointer)
    }

    /// Bytes of the mapping; empty if they don't lie within.
    ///
    /// # Safety
    /// The kernel must not write these bytes while the slice lives.
    pub(crate) unsafe fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        match self.at::<u8>(offset, len) {
            // SAFETY: within the mapping; the caller keeps the kernel away.
            Some(start) => unsafe { std::slice::from_raw_parts(start, len) },
            None => &[],
        }
    }

    /// Bytes of the mapping to write; empty if they don't lie within.
    ///
    /// # Safety
    /// As for [`Memory::bytes`].
    pub(crate) unsafe fn bytes_mut(&mut self, offset: usize, len: usize) -> &mut [u8] {
        match self.at::<u8>(offset, len) {
            // SAFETY: within the mapping, exclusive by `&mut self`; the caller keeps the kernel away.
            Some(start) => unsafe { std::slice::from_raw_parts_mut(start, len) },
            None => &mut [],
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this address and length, and nothing refers to it any more.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.len);
        }
    }
}

/// What an error of capture set-up means, in words, and what to do.
pub(crate) fn words(error: &io::Error) -> String {
    let meaning = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "not permitted: CAP_NET_RAW is needed, for AF_XDP also CAP_NET_ADMIN and CAP_BPF"
        }
        Some(libc::ENOBUFS) => "the limit of locked memory is too low: raise it (ulimit -l, LimitMEMLOCK)",
        Some(libc::EOPNOTSUPP) => "the driver does not support it",
        Some(libc::ENOMEM) => "not enough memory (or no huge pages)",
        Some(libc::EAGAIN) => "the limit of locked memory is too low for the ring: raise it (ulimit -l, LimitMEMLOCK)",
        Some(libc::EBUSY) => "the queue is in use by another socket or program",
        Some(libc::EEXIST) => "another XDP program is on the interface (ip link show says which): take it off",
        Some(libc::ENODEV) => "the interface is gone",
        Some(libc::ERANGE) => "the MTU is too large for this driver's XDP mode",
        Some(libc::ENETDOWN) => "the interface is down",
        Some(libc::EINVAL) => "the kernel or driver refuses these settings",
        _ => return error.to_string(),
    };
    format!("{meaning} (errno {})", error.raw_os_error().unwrap_or_default())
}
