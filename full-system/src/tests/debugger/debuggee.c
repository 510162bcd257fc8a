/* What gdb is led through. A machine starts it without firmware: on riscv64 all harts, on aarch64 the first
   processor, which starts the second one. */

#ifdef __riscv
__asm__(".section .text.start, \"ax\"\n"
        ".globl _start\n"
        "_start: csrr a0, mhartid\n"
        "  la sp, stacks\n"
        "  addi t0, a0, 1\n"
        "  slli t0, t0, 12\n"
        "  add sp, sp, t0\n"
        "  call run\n");
static void start_others(void) {}
static void power_off(void) { *(volatile unsigned *)0x100000 = 0x5555; }
#else
__asm__(".section .text.start, \"ax\"\n"
        ".globl _start\n"
        "_start: mov x0, #0\n"
        "others: adrp x1, stacks\n"
        "  add x1, x1, :lo12:stacks\n"
        "  add x2, x0, #1\n"
        "  add x1, x1, x2, lsl #12\n"
        "  mov sp, x1\n"
        "  bl run\n");
extern char others[];
static long firmware(unsigned long function, unsigned long a, unsigned long b, unsigned long c)
{
    register unsigned long x0 __asm__("x0") = function, x1 __asm__("x1") = a;
    register unsigned long x2 __asm__("x2") = b, x3 __asm__("x3") = c;
    __asm__ volatile("hvc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
static void start_others(void) { firmware(0xc4000003, 1, (unsigned long)others, 1); }
static void power_off(void) { firmware(0x84000008, 0, 0, 0); }
#endif

char stacks[2][4096] __attribute__((aligned(4096)));
volatile long counter, elsewhere, go;
volatile struct { long a; int b; } pair = { 1, 2 };

int leaf(int x) { return 3 * x; }

void step_here(void)
{
    counter = 1;
    counter = 2;
    counter = 3;
}

void second(void)
{
    while (!go)
        elsewhere++;
    elsewhere = -1;
    for (;;)
        ;
}

void run(long cpu)
{
    if (cpu)
        second();
    start_others();
    step_here();
    for (int i = 1; i < 4; i++)
        counter += leaf(i);
    pair.b += (int)counter;
    go = 1;
    while (elsewhere != -1)
        ;
    power_off();
    for (;;)
        ;
}
