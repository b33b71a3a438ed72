// A stand-in for SQL Server's client library on Linux: the same classes, and so the same mangled
// names and calling convention. What they do is left to the test, through a table of functions.

#include "table.h"

#include <ctime>

class ClientVirtualDevice {
  public:
    ClientVirtualDevice();
    ~ClientVirtualDevice();
    int GetCommand(time_t timeout, VDC_Command **command);
    int CompleteCommand(VDC_Command *command, int code, unsigned long bytes, int64_t position);

    DeviceBody *body;
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

ClientVirtualDevice::ClientVirtualDevice() : body(new DeviceBody) {}

ClientVirtualDevice::~ClientVirtualDevice() { delete body; }

int ClientVirtualDevice::GetCommand(time_t timeout, VDC_Command **command) {
    return body->get(timeout, command);
}

int ClientVirtualDevice::CompleteCommand(VDC_Command *command, int code, unsigned long bytes,
                                         int64_t) {
    return body->complete(command, code, bytes);
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
    for (ClientVirtualDevice *device : body->devices) device->body->close();
    return table.close(body->set);
}

#ifndef WITHOUT_ABORT
int ClientVirtualDeviceSet::SignalAbort() {
    if (body->closed) misuse++;
    return table.abort(body->set);
}
#endif

extern "C" void vab_stand_in_install(const Table *installed) { table = *installed; }
extern "C" int vab_stand_in_misuse() { return misuse; }
