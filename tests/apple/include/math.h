#ifndef RG_APPLE_MATH_H
#define RG_APPLE_MATH_H

#define HUGE_VAL   __builtin_huge_val()
#define INFINITY   __builtin_inff()
#define NAN        __builtin_nanf("")
#define M_PI       3.14159265358979323846
#define M_LN2      0.693147180559945309417
#define M_SQRT2    1.41421356237309504880
#define M_SQRT1_2  0.707106781186547524401
#define M_2_SQRTPI 1.12837916709551257390

#define isnan(x)    __builtin_isnan(x)
#define isinf(x)    __builtin_isinf_sign(x)
#define isfinite(x) __builtin_isfinite(x)
#define isnormal(x) __builtin_isnormal(x)
#define signbit(x)  __builtin_signbit(x)

#define RG_1(name)                                                                                                     \
  double name(double x);                                                                                               \
  float name##f(float x);                                                                                              \
  long double name##l(long double x)
#define RG_2(name)                                                                                                     \
  double name(double x, double y);                                                                                     \
  float name##f(float x, float y);                                                                                     \
  long double name##l(long double x, long double y)
#define RG_WITH(name, result, ...)                                                                                     \
  result name(double x, ##__VA_ARGS__);                                                                                \
  result name##f(float x, ##__VA_ARGS__);                                                                              \
  result name##l(long double x, ##__VA_ARGS__)

RG_1(acos);
RG_1(acosh);
RG_1(asin);
RG_1(asinh);
RG_1(atan);
RG_1(atanh);
RG_1(cbrt);
RG_1(ceil);
RG_1(cos);
RG_1(cosh);
RG_1(erf);
RG_1(erfc);
RG_1(exp);
RG_1(exp2);
RG_1(expm1);
RG_1(fabs);
RG_1(floor);
RG_1(lgamma);
RG_1(log);
RG_1(log10);
RG_1(log1p);
RG_1(log2);
RG_1(logb);
RG_1(nearbyint);
RG_1(rint);
RG_1(round);
RG_1(sin);
RG_1(sinh);
RG_1(sqrt);
RG_1(tan);
RG_1(tanh);
RG_1(tgamma);
RG_1(trunc);
RG_2(atan2);
RG_2(copysign);
RG_2(fdim);
RG_2(fmax);
RG_2(fmin);
RG_2(fmod);
RG_2(hypot);
RG_2(nextafter);
RG_2(pow);
RG_2(remainder);
RG_WITH(lrint, long);
RG_WITH(lround, long);
RG_WITH(llrint, long long);
RG_WITH(llround, long long);
RG_WITH(ilogb, int);
double fma(double x, double y, double z);
float fmaf(float x, float y, float z);
long double fmal(long double x, long double y, long double z);
double ldexp(double x, int n);
float ldexpf(float x, int n);
long double ldexpl(long double x, int n);
double scalbn(double x, int n);
float scalbnf(float x, int n);
long double scalbnl(long double x, int n);
double scalbln(double x, long n);
float scalblnf(float x, long n);
long double scalblnl(long double x, long n);
double frexp(double x, int *n);
float frexpf(float x, int *n);
long double frexpl(long double x, int *n);
double modf(double x, double *whole);
float modff(float x, float *whole);
double remquo(double x, double y, int *q);
float remquof(float x, float y, int *q);
long double remquol(long double x, long double y, int *q);
double nexttoward(double x, long double y);
float nexttowardf(float x, long double y);
long double nexttowardl(long double x, long double y);

#endif
