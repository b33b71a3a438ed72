// A stand-in for SQL Server's client library on Linux: the same classes, and so the same mangled
// names and calling convention. What they do is left to the test, through a table of functions.
// It counts the calls that break the interface's rules.

#include <atomic>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <set>
#include <vector>

struct VDConfig {
    uint32_t deviceCount, features, prefixZoneSize, alignment, softFileMarkBlockSize,
        EOMWarningSize, serverTimeOut, blockSize, maxIODepth, maxTransferSize, bufferAreaSize;
};

struct VDC_Command {
    int32_t commandCode;
    int32_t size;
    int64_t position;
    uint8_t *buffer;
};

static_assert(sizeof(VDConfig) == 44 && sizeof(VDC_Command) == 24, "published sizes");

extern "C" {
struct Table {
    void *context;
    void *(*set_new)(void *context);
    void (*set_drop)(void *set);
    int (*create)(void *set, const char *name, VDConfig *config);
    int (*configuration)(void *set, int64_t milliseconds, VDConfig *config);
    int (*open_device)(void *set, const char *name, void **device);
    int (*close)(void *set);
    int (*abort)(void *set);
    int (*command)(void *device, int64_t milliseconds, VDC_Command *command, void **handle);
    int (*complete)(void *device, void *handle, int code, uint64_t bytes);
    void (*device_drop)(void *device);
};
}

static Table table;
static std::atomic<int> misuse{0};

static const int PROTOCOL = static_cast<int>(0x8077000Cu);

struct Held {
    VDC_Command command;
    void *handle;
};

class ClientVirtualDevice {
  public:
    ClientVirtualDevice();
    ~ClientVirtualDevice();
    int GetCommand(time_t timeout, VDC_Command **command);
    int CompleteCommand(VDC_Command *command, int code, unsigned long bytes, int64_t position);

    struct Body {
        void *device;
        std::atomic<bool> closed{false};
        std::atomic<int> inside{0};
        std::set<VDC_Command *> held;
    };
    Body *body;
};

class ClientVirtualDeviceSet {
  public:
    ClientVirtualDeviceSet();
    ~ClientVirtualDeviceSet();
    int Create(char *name, VDConfig *config);
    int GetConfiguration(time_t timeout, VDConfig *config);
    int OpenDevice(char *name, ClientVirtualDevice **device);
    int Close();
#ifndef WITHOUT_ABORT
    int SignalAbort();
#endif

  private:
    struct Body {
        void *set;
        std::atomic<bool> closed{false};
        std::vector<ClientVirtualDevice *> devices;
    };
    Body *body;
};

static_assert(sizeof(ClientVirtualDeviceSet) == 8 && sizeof(ClientVirtualDevice) == 8,
              "each object is one pointer");

// One thread per device.
struct Inside {
    std::atomic<int> &count;
    explicit Inside(std::atomic<int> &count) : count(count) {
        if (count.fetch_add(1) != 0) misuse++;
    }
    ~Inside() { count.fetch_sub(1); }
};

ClientVirtualDevice::ClientVirtualDevice() : body(new Body) {}

ClientVirtualDevice::~ClientVirtualDevice() {
    for (VDC_Command *command : body->held) delete reinterpret_cast<Held *>(command);
    table.device_drop(body->device);
    delete body;
}

int ClientVirtualDevice::GetCommand(time_t timeout, VDC_Command **command) {
    Inside inside(body->inside);
    if (body->closed) {
        misuse++;
        return PROTOCOL;
    }
    Held *held = new Held{};
    int result = table.command(body->device, timeout, &held->command, &held->handle);
    if (result != 0) {
        delete held;
        return result;
    }
    body->held.insert(&held->command);
    *command = &held->command;
    return 0;
}

int ClientVirtualDevice::CompleteCommand(VDC_Command *command, int code, unsigned long bytes,
                                         int64_t) {
    Inside inside(body->inside);
    if (body->closed || body->held.erase(command) == 0) {
        misuse++;
        return PROTOCOL;
    }
    Held *held = reinterpret_cast<Held *>(command);
    void *handle = held->handle;
    delete held;
    return table.complete(body->device, handle, code, bytes);
}

ClientVirtualDeviceSet::ClientVirtualDeviceSet() : body(new Body) {
    body->set = table.set_new(table.context);
}

ClientVirtualDeviceSet::~ClientVirtualDeviceSet() {
    for (ClientVirtualDevice *device : body->devices) delete device;
    table.set_drop(body->set);
    delete body;
}

int ClientVirtualDeviceSet::Create(char *name, VDConfig *config) {
    return table.create(body->set, name, config);
}

int ClientVirtualDeviceSet::GetConfiguration(time_t timeout, VDConfig *config) {
    if (body->closed) misuse++;
    return table.configuration(body->set, timeout, config);
}

int ClientVirtualDeviceSet::OpenDevice(char *name, ClientVirtualDevice **device) {
    if (body->closed) misuse++;
    void *opened = nullptr;
    int result = table.open_device(body->set, name, &opened);
    if (result != 0) return result;
    *device = new ClientVirtualDevice;
    (*device)->body->device = opened;
    body->devices.push_back(*device);
    return 0;
}

int ClientVirtualDeviceSet::Close() {
    if (body->closed.exchange(true)) misuse++;
    for (ClientVirtualDevice *device : body->devices) {
        if (device->body->inside != 0) misuse++;
        device->body->closed = true;
    }
    return table.close(body->set);
}

#ifndef WITHOUT_ABORT
int ClientVirtualDeviceSet::SignalAbort() {
    if (body->closed) misuse++;
    return table.abort(body->set);
}
#endif

// Nothing in this file uses them all, but they have to be in the library.
extern "C" void vab_stand_in_install(const Table *installed) { table = *installed; }
extern "C" int vab_stand_in_misuse() { return misuse; }
