/*
 * An emulated Metal device: holds the program to what Apple's documents and its validation layer ask, and runs kernels
 * on the CPU. There is one device: with unified memory and of the family of the first Apple Silicon Macs, or, where
 * RANGO_EMULATED_METAL is "card", like the graphics card of an older one. Where it is "refusing", its compiler takes no
 * SIMD-group matrices; where it is "prebuilt", libraries that the build made are taken, and no sources.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emulated.h"

#define LONGEST_BUFFER ((NSUInteger)1 << 30)
#define QUARANTINE     4096 /* freed buffers whose addresses stay forbidden */

static BOOL is_kind(const char *name) {
  const char *kind = getenv("RANGO_EMULATED_METAL");
  return kind && strcmp(kind, name) == 0;
}

static BOOL is_card(void) { return is_kind("card"); }

@implementation MTLCompileOptions
- (void)setLanguageVersion:(MTLLanguageVersion)value {
  version = value;
}
- (MTLLanguageVersion)languageVersion {
  return version;
}
- (void)setFastMathEnabled:(BOOL)value {
  if (value) metal_broken("kernels are written for precise mathematics");
}
@end

/* ---- what is alive ---- */

static int alive;

static void check_released(void) {
  if (alive > 0) metal_broken("%d objects were never released", alive);
}

@implementation RgObject
- (id)init {
  if ((self = [super init])) __sync_add_and_fetch(&alive, 1);
  return self;
}
- (void)dealloc {
  __sync_sub_and_fetch(&alive, 1);
  [super dealloc];
}
@end

/* ---- data for libraries ---- */

struct emulated_dispatch_data {
  size_t size;
  char bytes[];
};

dispatch_data_t dispatch_data_create(const void *bytes, size_t size, void *queue, void *destructor) {
  dispatch_data_t data = malloc(sizeof *data + size);
  data->size = size;
  memcpy(data->bytes, bytes, size);
  return data;
}

void dispatch_release(dispatch_data_t data) { free(data); }

/* ---- buffers ---- */

static struct {
  char *mapping;
  size_t bytes;
} freed[QUARANTINE];
static size_t freed_count;
static pthread_mutex_t freed_lock = PTHREAD_MUTEX_INITIALIZER;

@implementation RgBuffer
- (id)initWithLength:(NSUInteger)length shared:(BOOL)isShared {
  if (!(self = [super init])) return nil;
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), rounded = (length + 15) / 16 * 16;
  const size_t pages = (rounded + page - 1) / page * page;
  bytes = length;
  mapped_bytes = pages + page;
  shared = isShared;
  mapping = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) metal_broken("no memory for a buffer");
  mprotect(mapping + pages, page, PROT_NONE);
  data = mapping + pages - rounded;
  memset(data, 0xff, rounded); /* NaNs: nobody may count on zeros */
  return self;
}
- (void)dealloc {
  mprotect(mapping, mapped_bytes, PROT_NONE);
  madvise(mapping, mapped_bytes, MADV_DONTNEED);
  pthread_mutex_lock(&freed_lock);
  const size_t at = freed_count++ % QUARANTINE;
  if (freed[at].mapping) munmap(freed[at].mapping, freed[at].bytes);
  freed[at].mapping = mapping;
  freed[at].bytes = mapped_bytes;
  pthread_mutex_unlock(&freed_lock);
  [super dealloc];
}
- (NSUInteger)length {
  return bytes;
}
- (void *)contents {
  if (!shared) metal_broken("contents of a private buffer");
  return data;
}
@end

/* ---- libraries and pipelines ---- */

@implementation RgLibrary
- (id<MTLFunction>)newFunctionWithName:(NSString *)name {
  if (![name isEqualToString:@"main0"]) return nil;
  RgFunction *function = [[RgFunction alloc] init];
  function->kernel = kernel;
  return function;
}
@end

@implementation RgFunction
@end

@implementation RgPipeline
- (NSUInteger)maxTotalThreadsPerThreadgroup {
  return METAL_THREADS;
}
@end

static NSError *error_of(NSString *text) {
  return [NSError errorWithDomain:@"EmulatedMetal"
                             code:1
                         userInfo:[NSDictionary dictionaryWithObject:text forKey:NSLocalizedDescriptionKey]];
}

/* ---- the device ---- */

@interface RgDevice : NSObject <MTLDevice> /* not counted: one for the process */
@end

@implementation RgDevice
- (NSString *)name {
  return is_card() ? @"Emulated graphics card" : @"Emulated Apple GPU";
}
- (BOOL)hasUnifiedMemory {
  return !is_card();
}
- (unsigned long long)recommendedMaxWorkingSetSize {
  return 1ull << 32;
}
- (NSUInteger)maxBufferLength {
  return LONGEST_BUFFER;
}
- (MTLSize)maxThreadsPerThreadgroup {
  return MTLSizeMake(METAL_THREADS, METAL_THREADS, METAL_THREADS);
}
- (NSUInteger)maxThreadgroupMemoryLength {
  return METAL_SHARED_MOST;
}
- (BOOL)supportsFamily:(MTLGPUFamily)family {
  return family == MTLGPUFamilyApple7 && !is_card();
}
- (id<MTLCommandQueue>)newCommandQueue {
  return [[RgQueue alloc] init];
}
- (id<MTLBuffer>)newBufferWithLength:(NSUInteger)length options:(MTLResourceOptions)options {
  if (length == 0) metal_broken("newBufferWithLength: 0");
  if (length > LONGEST_BUFFER) metal_broken("newBufferWithLength: more than maxBufferLength");
  return [[RgBuffer alloc] initWithLength:length shared:options == MTLResourceStorageModeShared];
}
/* What was compiled here is known by its text; a library that the build made is that text, too. */
- (id<MTLLibrary>)libraryOfText:(const char *)text length:(size_t)length {
  for (const metal_kernel *const *kernel = metal_kernels; *kernel; kernel++)
    if (strlen((*kernel)->source) == length && memcmp((*kernel)->source, text, length) == 0) {
      RgLibrary *library = [[RgLibrary alloc] init];
      library->kernel = *kernel;
      return library;
    }
  return nil;
}
- (id<MTLLibrary>)newLibraryWithData:(dispatch_data_t)data error:(NSError **)error {
  id<MTLLibrary> library = is_kind("prebuilt") ? [self libraryOfText:data->bytes length:data->size] : nil;
  if (!library) *error = error_of(@"the library is for another system");
  return library;
}
- (id<MTLLibrary>)newLibraryWithSource:(NSString *)source options:(MTLCompileOptions *)options error:(NSError **)error {
  const char *text = [source UTF8String];
  const BOOL matrices = strstr(text, "simdgroup_float8x8") != NULL;
  if (matrices && (is_card() || is_kind("refusing") || [options languageVersion] < MTLLanguageVersion2_3)) {
    *error = error_of(@"SIMD-group matrices need Metal 2.3 and a GPU that has them");
    return nil;
  }
  if (is_kind("prebuilt")) metal_broken("a source is compiled although the build made its library");
  id<MTLLibrary> library = [self libraryOfText:text length:strlen(text)];
  if (!library) *error = error_of(@"this source is none of those that were compiled");
  return library;
}
- (id<MTLComputePipelineState>)newComputePipelineStateWithFunction:(id<MTLFunction>)function error:(NSError **)error {
  if (!function) metal_broken("a pipeline state of no function");
  const metal_kernel *kernel = ((RgFunction *)function)->kernel;
  if (kernel->shared_end - kernel->shared > METAL_SHARED_MOST) {
    *error = error_of(@"more than 32 KB of threadgroup memory");
    return nil;
  }
  RgPipeline *pipeline = [[RgPipeline alloc] init];
  pipeline->kernel = kernel;
  return pipeline;
}
@end

NSArray *MTLCopyAllDevices(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static RgDevice *device;
  pthread_mutex_lock(&lock);
  if (!device) {
    device = [[RgDevice alloc] init];
    atexit(check_released);
  }
  pthread_mutex_unlock(&lock);
  return [[NSArray alloc] initWithObjects:device, nil];
}
