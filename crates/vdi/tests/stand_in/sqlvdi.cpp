// A stand-in for SQL Server's client library on Windows: a COM class with the same identifiers and
// the same slots. What it does is left to the test, through a table of functions. The instance
// name, in decimal, is the context of the test that creates the set.
//
// x86_64-w64-mingw32-g++ -std=c++17 -O1 -shared -static -o sqlvdi-stand-in.dll sqlvdi.cpp -lole32 -luuid

#include <initguid.h>
#include <windows.h>

#include <unknwn.h>

#include <cstdlib>
#include <string>

#include "table.h"

DEFINE_GUID(IID_Set, 0x40700425, 0x0080, 0x11d2, 0x85, 0x1f, 0x00, 0xc0, 0x4f, 0xc2, 0x17, 0x59);
DEFINE_GUID(IID_Set2, 0xd0e6eb07, 0x7a62, 0x11d2, 0x85, 0x73, 0x00, 0xc0, 0x4f, 0xc2, 0x17, 0x59);
DEFINE_GUID(IID_Device, 0x40700424, 0x0080, 0x11d2, 0x85, 0x1f, 0x00, 0xc0, 0x4f, 0xc2, 0x17, 0x59);

struct IClientVirtualDevice : IUnknown {
    virtual HRESULT STDMETHODCALLTYPE GetCommand(DWORD timeout, VDC_Command **command) = 0;
    virtual HRESULT STDMETHODCALLTYPE CompleteCommand(VDC_Command *command, DWORD code,
                                                      DWORD bytes, DWORDLONG position) = 0;
};

struct IClientVirtualDeviceSet : IUnknown {
    virtual HRESULT STDMETHODCALLTYPE Create(LPCWSTR name, VDConfig *config) = 0;
    virtual HRESULT STDMETHODCALLTYPE GetConfiguration(DWORD timeout, VDConfig *config) = 0;
    virtual HRESULT STDMETHODCALLTYPE OpenDevice(LPCWSTR name, IClientVirtualDevice **device) = 0;
    virtual HRESULT STDMETHODCALLTYPE Close() = 0;
    virtual HRESULT STDMETHODCALLTYPE SignalAbort() = 0;
    virtual HRESULT STDMETHODCALLTYPE OpenInSecondary(LPCWSTR name) = 0;
    virtual HRESULT STDMETHODCALLTYPE GetBufferHandle(BYTE *buffer, DWORD *handle) = 0;
    virtual HRESULT STDMETHODCALLTYPE MapBufferHandle(DWORD handle, BYTE **buffer) = 0;
};

struct IClientVirtualDeviceSet2 : IClientVirtualDeviceSet {
    virtual HRESULT STDMETHODCALLTYPE CreateEx(LPCWSTR instance, LPCWSTR name,
                                               VDConfig *config) = 0;
    virtual HRESULT STDMETHODCALLTYPE OpenInSecondaryEx(LPCWSTR instance, LPCWSTR name) = 0;
};

static int64_t limit(DWORD timeout) { return timeout == INFINITE ? -1 : timeout; }

static std::string utf8(LPCWSTR text) {
    int length = WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
    std::string result(length, '\0');
    WideCharToMultiByte(CP_UTF8, 0, text, -1, result.data(), length, nullptr, nullptr);
    result.resize(length - 1);
    return result;
}

// Clients never count references to devices: the set's close takes them away.
struct Device final : IClientVirtualDevice {
    DeviceBody body;

    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID, void **) override {
        misuse++;
        return E_NOINTERFACE;
    }
    ULONG STDMETHODCALLTYPE AddRef() override { return misuse++; }
    ULONG STDMETHODCALLTYPE Release() override { return misuse++; }
    HRESULT STDMETHODCALLTYPE GetCommand(DWORD timeout, VDC_Command **command) override {
        return body.get(limit(timeout), command);
    }
    HRESULT STDMETHODCALLTYPE CompleteCommand(VDC_Command *command, DWORD code, DWORD bytes,
                                              DWORDLONG) override {
        return body.complete(command, static_cast<int>(code), bytes);
    }
};

struct Set final : IClientVirtualDeviceSet2 {
    std::atomic<ULONG> references{1};
    std::atomic<void *> set{nullptr};
    std::atomic<bool> closed{false};
    std::vector<Device *> devices;

    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID wanted, void **result) override {
        *result = nullptr;
        if (wanted != IID_IUnknown && wanted != IID_Set && wanted != IID_Set2)
            return E_NOINTERFACE;
        AddRef();
        *result = this;
        return S_OK;
    }
    ULONG STDMETHODCALLTYPE AddRef() override { return ++references; }
    ULONG STDMETHODCALLTYPE Release() override {
        ULONG left = --references;
        if (left == 0) {
            for (Device *device : devices) delete device;
            if (set != nullptr) table.set_drop(set);
            delete this;
        }
        return left;
    }

    // Deprecated: it knows no instance.
    HRESULT STDMETHODCALLTYPE Create(LPCWSTR, VDConfig *) override {
        misuse++;
        return PROTOCOL;
    }
    HRESULT STDMETHODCALLTYPE CreateEx(LPCWSTR instance, LPCWSTR name, VDConfig *config) override {
        int found = begin(instance);
        return found != 0 ? found : table.create(set, utf8(name).c_str(), config);
    }
    HRESULT STDMETHODCALLTYPE GetConfiguration(DWORD timeout, VDConfig *config) override {
        if (closed) misuse++;
        return table.configuration(set, limit(timeout), config);
    }
    HRESULT STDMETHODCALLTYPE OpenDevice(LPCWSTR name, IClientVirtualDevice **device) override {
        if (closed) misuse++;
        void *opened = nullptr;
        int result = table.open_device(set, utf8(name).c_str(), &opened);
        if (result != 0) return result;
        Device *made = new Device;
        made->body.device = opened;
        devices.push_back(made);
        *device = made;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE Close() override {
        if (closed.exchange(true)) misuse++;
        for (Device *device : devices) device->body.close();
        return table.close(set);
    }
    HRESULT STDMETHODCALLTYPE SignalAbort() override {
        if (closed) misuse++;
        return table.abort(set);
    }
    HRESULT STDMETHODCALLTYPE OpenInSecondary(LPCWSTR) override { return E_NOTIMPL; }
    HRESULT STDMETHODCALLTYPE GetBufferHandle(BYTE *, DWORD *) override { return E_NOTIMPL; }
    HRESULT STDMETHODCALLTYPE MapBufferHandle(DWORD, BYTE **) override { return E_NOTIMPL; }
    HRESULT STDMETHODCALLTYPE OpenInSecondaryEx(LPCWSTR instance, LPCWSTR name) override {
        int found = begin(instance);
        return found != 0 ? found : table.open_in_secondary(set, utf8(name).c_str());
    }

  private:
    // The instance says which test it is.
    int begin(LPCWSTR instance) {
        if (instance == nullptr) return static_cast<int>(0x80770007u);
        if (set != nullptr) misuse++;
        std::string context = utf8(instance);
        set = table.set_new(reinterpret_cast<void *>(std::strtoull(context.c_str(), nullptr, 10)));
        return 0;
    }
};

struct Factory final : IClassFactory {
    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID wanted, void **result) override {
        bool known = wanted == IID_IUnknown || wanted == IID_IClassFactory;
        *result = known ? this : nullptr;
        return known ? S_OK : E_NOINTERFACE;
    }
    ULONG STDMETHODCALLTYPE AddRef() override { return 2; }
    ULONG STDMETHODCALLTYPE Release() override { return 1; }
    HRESULT STDMETHODCALLTYPE CreateInstance(IUnknown *outer, REFIID wanted,
                                             void **result) override {
        if (outer != nullptr) return CLASS_E_NOAGGREGATION;
        Set *set = new Set;
        HRESULT found = set->QueryInterface(wanted, result);
        set->Release();
        return found;
    }
    HRESULT STDMETHODCALLTYPE LockServer(BOOL) override { return S_OK; }
};

static Factory factory;

// The class has the identifier of its first interface. No registry is needed: the process itself
// offers it.
extern "C" __declspec(dllexport) int vab_stand_in_register() {
    DWORD cookie = 0;
    return CoRegisterClassObject(IID_Set, &factory, CLSCTX_INPROC_SERVER, REGCLS_MULTIPLEUSE,
                                 &cookie);
}
extern "C" __declspec(dllexport) void vab_stand_in_install(const Table *installed) {
    table = *installed;
}
extern "C" __declspec(dllexport) int vab_stand_in_misuse() { return misuse; }
