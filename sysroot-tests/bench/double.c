/* Double-precision mix: n-body, matrix product, Mandelbrot set and libm. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BODIES = 5, N = 200 };
static struct body { double p[3], v[3], m; } bodies[BODIES];

static double nbody(int steps) {
    for (int i = 0; i < BODIES; i++)
        bodies[i] = (struct body){ { i * 1.5, i * i * 0.3, -i * 0.7 }, { 0.1 * i, -0.2, 0.05 * i }, 1.0 / (i + 1) };
    for (int s = 0; s < steps; s++) {
        for (int i = 0; i < BODIES; i++) for (int j = i + 1; j < BODIES; j++) {
            struct body *a = &bodies[i], *b = &bodies[j];
            double d[3], d2 = 1e-3;
            for (int k = 0; k < 3; k++) { d[k] = a->p[k] - b->p[k]; d2 += d[k] * d[k]; }
            double f = 0.001 / (d2 * sqrt(d2));
            for (int k = 0; k < 3; k++) { a->v[k] -= d[k] * b->m * f; b->v[k] += d[k] * a->m * f; }
        }
        for (int i = 0; i < BODIES; i++) for (int k = 0; k < 3; k++) bodies[i].p[k] += 0.001 * bodies[i].v[k];
    }
    return bodies[0].p[0] + bodies[4].v[2];
}

static double matrix(void) {
    static double a[N][N], b[N][N], c[N][N];
    double sum = 0;
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) { a[i][j] = (i * 7 + j) % 13 * 0.5; b[i][j] = (i + j * 5) % 11 * 0.25; c[i][j] = 0; }
    for (int i = 0; i < N; i++) for (int k = 0; k < N; k++) for (int j = 0; j < N; j++) c[i][j] += a[i][k] * b[k][j];
    for (int i = 0; i < N; i++) sum += c[i][(i * 31) % N];
    return sum;
}

static int mandelbrot(int size) {
    int inside = 0;
    for (int y = 0; y < size; y++) for (int x = 0; x < size; x++) {
        double cr = 3.0 * x / size - 2.25, ci = 3.0 * y / size - 1.5, r = 0, i = 0;
        int n = 0;
        while (n < 100 && r * r + i * i < 4) { double t = r * r - i * i + cr; i = 2 * r * i + ci; r = t; n++; }
        inside += n == 100;
    }
    return inside;
}

static double library(int n) {
    double sum = 0;
    for (int i = 1; i <= n; i++) { double x = i * 1e-4; sum += sin(x) * cos(x * 0.5) + exp(-x) + log(x) + pow(x, 0.3) + atan2(x, 2) + floor(x * 9); }
    return sum;
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    for (int i = 0; i < rounds; i++)
        printf("%.6g %.9g %d %.9g\n", nbody(150000), matrix(), mandelbrot(300), library(200000));
    return 0;
}
