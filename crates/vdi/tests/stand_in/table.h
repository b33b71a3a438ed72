// What both stand-ins share: the structures of the interface, the functions that the test gives,
// and the count of calls that break the interface's rules.

#pragma once

#include <atomic>
#include <cstdint>
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
    int (*open_in_secondary)(void *set, const char *name);
};

static Table table;
static std::atomic<int> misuse{0};

static const int PROTOCOL = static_cast<int>(0x8077000Cu);

struct Held {
    VDC_Command command;
    void *handle;
};

// One thread per device.
struct Inside {
    std::atomic<int> &count;
    explicit Inside(std::atomic<int> &count) : count(count) {
        if (count.fetch_add(1) != 0) misuse++;
    }
    ~Inside() { count.fetch_sub(1); }
};

// A device, for either kind of object around it.
struct DeviceBody {
    void *device = nullptr;
    std::atomic<bool> closed{false};
    std::atomic<int> inside{0};
    std::set<VDC_Command *> held;

    ~DeviceBody() {
        for (VDC_Command *command : held) delete reinterpret_cast<Held *>(command);
        table.device_drop(device);
    }

    int get(int64_t timeout, VDC_Command **command) {
        Inside one(inside);
        if (closed) {
            misuse++;
            return PROTOCOL;
        }
        Held *next = new Held{};
        int result = table.command(device, timeout, &next->command, &next->handle);
        if (result != 0) {
            delete next;
            return result;
        }
        held.insert(&next->command);
        *command = &next->command;
        return 0;
    }

    int complete(VDC_Command *command, int code, uint64_t bytes) {
        Inside one(inside);
        if (closed || held.erase(command) == 0) {
            misuse++;
            return PROTOCOL;
        }
        Held *done = reinterpret_cast<Held *>(command);
        void *handle = done->handle;
        delete done;
        return table.complete(device, handle, code, bytes);
    }

    void close() {
        if (inside != 0) misuse++;
        closed = true;
    }
};
