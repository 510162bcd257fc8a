/* Says what the kernel says of its rights: the test gives the runner some. */
#include <stdio.h>
#include <sys/auxv.h>

int main(void)
{
    printf("secure %lu\n", getauxval(AT_SECURE));
    return 0;
}
