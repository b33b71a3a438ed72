//! The COM interfaces of the client's side, slot by slot.

use std::ffi::c_void;

use windows_core::{GUID, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::native::{RawVdConfig, RawVdcCommand};

/// The class that offers [`ClientSet2`].
pub(super) const CLIENT_SET_CLASS: GUID = GUID::from_u128(0x40700425_0080_11d2_851f_00c04fc21759);

/// `IClientVirtualDeviceSet`.
#[interface("40700425-0080-11d2-851f-00c04fc21759")]
pub(super) unsafe trait ClientSet: IUnknown {
    pub(super) unsafe fn create(&self, name: *const u16, config: *mut RawVdConfig) -> HRESULT;
    pub(super) unsafe fn configuration(&self, limit: u32, answer: *mut RawVdConfig) -> HRESULT;
    pub(super) unsafe fn open_device(&self, name: *const u16, device: *mut *mut c_void) -> HRESULT;
    pub(super) unsafe fn close(&self) -> HRESULT;
    pub(super) unsafe fn signal_abort(&self) -> HRESULT;
    pub(super) unsafe fn open_in_secondary(&self, name: *const u16) -> HRESULT;
    pub(super) unsafe fn buffer_handle(&self, buffer: *mut u8, handle: *mut u32) -> HRESULT;
    pub(super) unsafe fn map_buffer(&self, handle: u32, buffer: *mut *mut u8) -> HRESULT;
}

/// `IClientVirtualDeviceSet2`.
#[interface("d0e6eb07-7a62-11d2-8573-00c04fc21759")]
pub(super) unsafe trait ClientSet2: ClientSet {
    pub(super) unsafe fn create_ex(
        &self,
        instance: *const u16,
        name: *const u16,
        config: *mut RawVdConfig,
    ) -> HRESULT;
    pub(super) unsafe fn open_in_secondary_ex(
        &self,
        instance: *const u16,
        name: *const u16,
    ) -> HRESULT;
}

/// `IClientVirtualDevice`.
#[interface("40700424-0080-11d2-851f-00c04fc21759")]
pub(super) unsafe trait ClientDevice: IUnknown {
    pub(super) unsafe fn command(&self, limit: u32, command: *mut *mut RawVdcCommand) -> HRESULT;
    pub(super) unsafe fn complete(
        &self,
        command: *mut RawVdcCommand,
        code: u32,
        bytes: u32,
        position: u64,
    ) -> HRESULT;
}
