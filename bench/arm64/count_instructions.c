/*
 * A plugin for qemu that counts what an AArch64 program executes: all instructions, and those that multiply and add
 * vectors of float32 (FMLA). Prints both so far whenever the program calls getppid(). bench/arm64.sh builds and uses
 * it.
 *
 *   cc -O2 -shared -fPIC -o count.so bench/count_instructions.c
 *   qemu-aarch64 -plugin ./count.so PROGRAM
 *
 * Debian has no package with qemu-plugin.h: what is used of that interface (version 1, qemu 6 to 8) is declared here.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;   /* a block of translated code */
struct qemu_plugin_insn; /* one of its instructions */
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*call)(qemu_plugin_id_t id, struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, enum qemu_plugin_op op, void *counter,
                                              uint64_t value);
typedef void (*qemu_plugin_syscall)(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2,
                                    uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id, qemu_plugin_syscall call);

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 1;

static uint64_t executed, fused;

/* FMLA of four float32, by a vector or by an element (Arm Architecture Reference Manual, C7.2). */
static bool is_fmla(uint32_t word) {
  return (word & 0xffe0fc00u) == 0x4e20cc00u || (word & 0xffc0f400u) == 0x4f801000u;
}

/* A block counts whole when it begins: one that is left early, by a fault, is rare. */
static void count_block(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  const size_t count = qemu_plugin_tb_n_insns(block);
  uint64_t fused_here = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t word;
    memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(block, i)), sizeof word);
    fused_here += is_fmla(word);
  }
  qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &executed, count);
  if (fused_here > 0) qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &fused, fused_here);
}

#define GETPPID 173 /* on AArch64 Linux */

static void print(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                  uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
  (void)id, (void)cpu, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
  if (number == GETPPID)
    fprintf(stderr, "executed %llu fmla %llu\n", (unsigned long long)executed, (unsigned long long)fused);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int count, char **arguments) {
  (void)info;
  (void)count;
  (void)arguments;
  qemu_plugin_register_vcpu_tb_trans_cb(id, count_block);
  qemu_plugin_register_vcpu_syscall_cb(id, print);
  return 0;
}
