/* Integer mix: sieve, sort, hash table, recursion, matrix and a switch-driven machine. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed = 12345;
static uint32_t next(void) { seed ^= seed << 13; seed ^= seed >> 17; return seed ^= seed << 5; }

static unsigned sieve(unsigned n) {
    static unsigned char composite[2000001];
    unsigned count = 0;
    memset(composite, 0, sizeof composite);
    for (unsigned i = 2; i <= n; i++) {
        if (composite[i]) continue;
        count++;
        for (uint64_t j = (uint64_t)i * i; j <= n; j += i) composite[j] = 1;
    }
    return count;
}

static void quicksort(uint32_t *v, long lo, long hi) {
    while (lo < hi) {
        uint32_t pivot = v[(lo + hi) / 2];
        long i = lo, j = hi;
        while (i <= j) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i <= j) { uint32_t t = v[i]; v[i++] = v[j]; v[j--] = t; }
        }
        if (j - lo < hi - i) { quicksort(v, lo, j); lo = i; } else { quicksort(v, i, hi); hi = j; }
    }
}

static uint64_t sort(void) {
    enum { N = 400000 };
    static uint32_t v[N];
    uint64_t sum = 0;
    for (int i = 0; i < N; i++) v[i] = next();
    quicksort(v, 0, N - 1);
    for (int i = 0; i < N; i += 997) sum = sum * 31 + v[i];
    return sum;
}

static uint64_t hash(void) {
    enum { SLOTS = 1 << 17 };
    static uint64_t keys[SLOTS];
    static uint32_t counts[SLOTS];
    uint64_t total = 0;
    memset(keys, 0, sizeof keys);
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < 1500000; i++) {
        uint64_t key = next() % 60000 + 1, h = key * 0x9e3779b97f4a7c15u >> 47;
        while (keys[h] && keys[h] != key) h = (h + 1) % SLOTS;
        keys[h] = key;
        total += ++counts[h];
    }
    return total;
}

static unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static uint64_t matrix(void) {
    enum { N = 160 };
    static int32_t a[N][N], b[N][N], c[N][N];
    uint64_t sum = 0;
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) { a[i][j] = (int32_t)(next() % 100); b[i][j] = (int32_t)(next() % 100); }
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) {
        int32_t s = 0;
        for (int k = 0; k < N; k++) s += a[i][k] * b[k][j];
        c[i][j] = s;
    }
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) sum = sum * 17 + (uint32_t)c[i][j];
    return sum;
}

static uint64_t machine(void) {
    static unsigned char code[4096];
    uint64_t acc = 1, other = 7;
    for (int i = 0; i < 4096; i++) code[i] = (unsigned char)(next() >> 8) % 10;
    for (int round = 0; round < 1500; round++) for (int i = 0; i < 4096; i++) switch (code[i]) {
        case 0: acc += other; break;
        case 1: other ^= acc << 3; break;
        case 2: acc = acc >> 5 | acc << 59; break;
        case 3: acc *= 0x100000001b3u; break;
        case 4: other += (uint64_t)i; break;
        case 5: if (acc & 1) other++; break;
        case 6: acc -= other >> 2; break;
        case 7: other = __builtin_bswap64(other); break;
        case 8: acc ^= (uint64_t)__builtin_popcountll(other); break;
        default: acc += acc % (other | 1); break;
    }
    return acc ^ other;
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    for (int i = 0; i < rounds; i++) {
        printf("%u %llu %llu %u ", sieve(2000000), (unsigned long long)sort(), (unsigned long long)hash(), fib(32));
        printf("%llu %llu\n", (unsigned long long)matrix(), (unsigned long long)machine());
    }
    return 0;
}
