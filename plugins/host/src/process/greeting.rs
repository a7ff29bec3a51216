//! The first words between the service and a host process, before they speak gRPC over the same socket.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::external::Purpose;
use crate::sealed::Sealed;

/// Longest greeting: a descriptor of 64 KiB, twice that where it is escaped.
const MAX_BYTES: u32 = 256 << 10;

/// What the service says first, together with the sealed memory of the segmenter.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Greeting {
    /// Process id of the service, with which this process ends.
    pub(crate) parent: i32,
    /// The descriptor that the service has judged.
    pub(crate) descriptor: String,
    /// Memory that the segmenter may use, in bytes.
    pub(crate) memory_bytes: u64,
    pub(crate) purpose: Purpose,
    /// True: it gives way to others.
    pub(crate) in_background: bool,
    /// True: nothing of the segmenter runs where this kernel does not offer the whole sandbox.
    pub(crate) needs_whole_sandbox: bool,
}

/// What the host process answers: `Confined`, then one of the others. What comes behind the first a segmenter may have said itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Hello {
    /// Nothing of the segmenter has run yet. Empty: the sandbox is complete until it is loaded; else what this kernel does not offer.
    Confined { sandbox_lacks: Vec<String> },
    /// It is loaded and can be asked. Empty: the sandbox is complete from here on.
    Ready { sandbox_lacks: Vec<String> },
    /// A check failed.
    Refused { check_id: String, what: String },
}

/// Sends the greeting and the memory.
pub(crate) fn send_greeting(
    mut socket: &UnixStream,
    greeting: &Greeting,
    memory: &Sealed,
) -> io::Result<()> {
    use std::os::fd::AsFd as _;

    let memory = [memory.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&memory));
    let byte = [IoSlice::new(b"g")];
    sendmsg(socket, &byte, &mut ancillary, SendFlags::NOSIGNAL)?;
    socket.write_all(&frame(greeting)?)
}

pub(crate) fn receive_greeting(socket: &UnixStream) -> io::Result<(Greeting, OwnedFd)> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(&mut byte)];
    recvmsg(socket, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut received = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let memory = received
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no memory was sent"))?;
    Ok((read_frame(socket)?, memory))
}

/// A message behind its length.
pub(crate) fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len())
        .ok()
        .filter(|length| *length <= MAX_BYTES);
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "the message is too long");
    let mut bytes = length.ok_or_else(too_long)?.to_le_bytes().to_vec();
    bytes.extend(body);
    Ok(bytes)
}

/// The length of a message from what is before it.
pub(crate) fn length(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(head);
    if length > MAX_BYTES {
        let error = format!("a message of {length} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, error));
    }
    usize::try_from(length).map_err(io::Error::other)
}

fn read_frame<T: DeserializeOwned>(mut socket: &UnixStream) -> io::Result<T> {
    let mut head = [0; 4];
    socket.read_exact(&mut head)?;
    let mut body = vec![0; length(head)?];
    socket.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

pub(crate) fn send_hello(mut socket: &UnixStream, hello: &Hello) -> io::Result<()> {
    socket.write_all(&frame(hello)?)
}
