//! The block device. Virtio 1.2, section 5.2.

use std::io;
use std::sync::Arc;

use vm_memory::{Bytes, GuestAddress};

use super::{Chain, Kind, Queues, Running, split, total};
use crate::block::{Image, Request};
use crate::event_loop::Buffers;

/// Bytes of a sector, the unit of every number here.
const SECTOR: u64 = 512;
/// Bytes before the data: type, reserved, sector.
const HEADER: usize = 16;
/// Pieces of one request: `IOV_MAX` of the host less header and status.
const SEG_MAX: u32 = 254;
/// Sectors of one discard or write-zeroes request at most.
const DISCARD_MAX: u32 = 1 << 22;
/// Bytes of the identity string.
const ID: usize = 20;

mod feature {
    pub(super) const SEG_MAX: u64 = 1 << 2;
    pub(super) const RO: u64 = 1 << 5;
    pub(super) const BLK_SIZE: u64 = 1 << 6;
    pub(super) const FLUSH: u64 = 1 << 9;
    pub(super) const DISCARD: u64 = 1 << 13;
    pub(super) const WRITE_ZEROES: u64 = 1 << 14;
}

/// Types of request.
mod kind {
    pub(super) const IN: u32 = 0;
    pub(super) const OUT: u32 = 1;
    pub(super) const FLUSH: u32 = 4;
    pub(super) const GET_ID: u32 = 8;
    pub(super) const DISCARD: u32 = 11;
    pub(super) const WRITE_ZEROES: u32 = 13;
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok = 0,
    IoError = 1,
    Unsupported = 2,
}

/// The device.
pub struct Block {
    image: Arc<dyn Image>,
    serial: [u8; ID],
}

impl Block {
    /// A disk with the contents of `image`; of `serial` the first 20 bytes count.
    pub fn new(image: Arc<dyn Image>, serial: &str) -> Arc<Block> {
        let mut id = [0; ID];
        id.iter_mut().zip(serial.bytes()).for_each(|(to, from)| *to = from);
        Arc::new(Block { image, serial: id })
    }

    /// Starts a request, or ends it at once.
    fn start(&self, running: Running, chain: Chain) {
        let Some(parsed) = Parsed::new(&running, &chain) else {
            // Without a place for the status nothing can be said.
            running.finish(0, chain.head, 0);
            return;
        };
        match self.request(&running, &parsed) {
            Ok(request) => {
                let read = matches!(request, Request::Read { .. });
                let data = if read { total(&parsed.write) } else { 0 };
                let (head, at) = (chain.head, parsed.status);
                let done = move |result: io::Result<()>| {
                    let status = status(result);
                    end(running, head, at, status, data);
                };
                self.image.submit(request, Box::new(done));
            }
            Err((status, len)) => end(running, chain.head, parsed.status, status, len),
        }
    }

    /// What the image is asked; an error is how the request ends without it, and the bytes written.
    fn request(&self, running: &Running, p: &Parsed) -> Result<Request, (Status, usize)> {
        let bad = (Status::IoError, 0);
        let (list, write) = match p.kind {
            kind::IN => (&p.write, false),
            kind::OUT => (&p.read, true),
            kind::FLUSH => return Ok(Request::Flush),
            kind::DISCARD | kind::WRITE_ZEROES => return self.discard(running, p),
            kind::GET_ID => return Err(self.identity(running, p)),
            _ => return Err((Status::Unsupported, 0)),
        };
        let offset = p.sector.checked_mul(SECTOR).ok_or(bad)?;
        let end = offset.checked_add(total(list) as u64).ok_or(bad)?;
        let whole = (total(list) as u64).is_multiple_of(SECTOR);
        if end > self.image.size() || !whole || (write && self.image.read_only()) {
            return Err(bad);
        }
        let buffers = Buffers::new(running.ram(), list.clone()).ok_or(bad)?;
        Ok(if write {
            Request::Write { offset, buffers }
        } else {
            Request::Read { offset, buffers }
        })
    }

    /// One range of sectors to drop: `struct virtio_blk_discard_write_zeroes`.
    fn discard(&self, running: &Running, p: &Parsed) -> Result<Request, (Status, usize)> {
        let bad = (Status::IoError, 0);
        if total(&p.read) != 16 {
            return Err((Status::Unsupported, 0));
        }
        let bytes: [u8; 16] = gather(running, &p.read).ok_or(bad)?;
        let sector = u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i: usize| bytes[i]));
        let count = u32::from_le_bytes([8, 9, 10, 11].map(|i: usize| bytes[i]));
        let offset = sector.checked_mul(SECTOR).ok_or(bad)?;
        let len = u64::from(count) * SECTOR;
        let end = offset.checked_add(len).ok_or(bad)?;
        if end > self.image.size() || count > DISCARD_MAX || self.image.read_only() {
            return Err(bad);
        }
        if len == 0 {
            return Err((Status::Ok, 0));
        }
        Ok(Request::Discard { offset, len })
    }

    fn identity(&self, running: &Running, p: &Parsed) -> (Status, usize) {
        let mut written = 0;
        for &(at, len) in &p.write {
            let part = &self.serial[written..][..len.min(ID - written)];
            if running.ram().write_slice(part, GuestAddress(at)).is_err() {
                return (Status::IoError, written);
            }
            written += part.len();
        }
        (Status::Ok, written)
    }
}

/// A request taken apart.
struct Parsed {
    kind: u32,
    sector: u64,
    /// Data that the driver wrote.
    read: Vec<(u64, usize)>,
    /// Room for data.
    write: Vec<(u64, usize)>,
    /// Where the status goes.
    status: u64,
}

impl Parsed {
    fn new(running: &Running, chain: &Chain) -> Option<Parsed> {
        let (header, read) = split(&chain.readable, HEADER)?;
        let header: [u8; HEADER] = gather(running, &header)?;
        let kind = u32::from_le_bytes([0, 1, 2, 3].map(|i: usize| header[i]));
        let sector = u64::from_le_bytes([8, 9, 10, 11, 12, 13, 14, 15].map(|i: usize| header[i]));
        let (write, status) = split(&chain.writable, total(&chain.writable).checked_sub(1)?)?;
        Some(Parsed { kind, sector, read, write, status: status.first()?.0 })
    }
}

/// The bytes of a list that holds exactly `N`.
fn gather<const N: usize>(running: &Running, list: &[(u64, usize)]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut at = 0;
    for &(pa, len) in list {
        running.ram().read_slice(bytes.get_mut(at..at + len)?, GuestAddress(pa)).ok()?;
        at += len;
    }
    (at == N).then_some(bytes)
}

fn status(result: io::Result<()>) -> Status {
    match result {
        Ok(()) => Status::Ok,
        Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => Status::Unsupported,
        Err(error) => {
            log::warn!("disk image: {error}");
            Status::IoError
        }
    }
}

fn end(running: Running, head: u16, at: u64, status: Status, data: usize) {
    if running.counts() && running.ram().write_obj(status as u8, GuestAddress(at)).is_ok() {
        let written = if status == Status::Ok { data } else { 0 };
        running.finish(0, head, written + 1);
    }
}

impl Kind for Block {
    fn id(&self) -> u32 {
        2
    }

    fn features(&self) -> u64 {
        let access = if self.image.read_only() {
            feature::RO
        } else {
            feature::DISCARD | feature::WRITE_ZEROES
        };
        feature::SEG_MAX | feature::BLK_SIZE | feature::FLUSH | access
    }

    fn queues(&self) -> &'static [u16] {
        &[256]
    }

    fn config(&self) -> Vec<u8> {
        // `struct virtio_blk_config` up to `write_zeroes_may_unmap`.
        let mut c = Vec::new();
        c.extend((self.image.size() / SECTOR).to_le_bytes());
        c.extend(0u32.to_le_bytes()); // size_max: no limit
        c.extend(SEG_MAX.to_le_bytes());
        c.extend([0; 4]); // geometry
        c.extend((SECTOR as u32).to_le_bytes());
        c.extend([0; 8]); // topology
        c.extend([1, 0]); // writeback
        c.extend(1u16.to_le_bytes()); // num_queues
        for _ in 0..2 {
            c.extend(DISCARD_MAX.to_le_bytes());
            c.extend(1u32.to_le_bytes()); // ranges in one request
            c.extend(1u32.to_le_bytes()); // alignment; then, for write-zeroes: it may unmap
        }
        c
    }

    fn notify(&self, queues: &Arc<Queues>, index: usize) {
        while let Some(chain) = queues.pop(index) {
            Block::start(self, queues.begin(), chain);
        }
    }
}
