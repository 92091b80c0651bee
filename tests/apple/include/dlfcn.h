#ifndef RG_APPLE_DLFCN_H
#define RG_APPLE_DLFCN_H

#define RTLD_NOW   0x2
#define RTLD_LOCAL 0x4

typedef struct dl_info {
  const char *dli_fname;
  void *dli_fbase;
  const char *dli_sname;
  void *dli_saddr;
} Dl_info;

void *dlopen(const char *path, int mode);
void *dlsym(void *library, const char *name);
int dlclose(void *library);
char *dlerror(void);
int dladdr(const void *address, Dl_info *info);

#endif
