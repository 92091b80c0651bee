/* The part of Foundation's interface that src/gpu/metal uses. */
#ifndef FOUNDATION_STAND_IN_H
#define FOUNDATION_STAND_IN_H

#include <stddef.h>
#include <stdio.h>

typedef signed char BOOL;
typedef unsigned long NSUInteger;
typedef struct _NSZone NSZone;

#define YES ((BOOL)1)
#define NO  ((BOOL)0)
#define nil ((id)0)

@protocol NSObject
- (id)retain;
- (oneway void)release;
- (id)autorelease;
@end

__attribute__((objc_root_class))
@interface NSObject<NSObject>
+ (id)alloc;
- (id)init;
@end

@interface NSString : NSObject
+ (id)stringWithUTF8String:(const char *)text;
- (const char *)UTF8String;
- (NSString *)stringByAppendingString:(NSString *)text;
@end

@interface NSError : NSObject
- (NSString *)localizedDescription;
@end

@interface NSArray : NSObject
- (id)initWithObjects:(id)first, ... __attribute__((sentinel));
- (NSUInteger)count;
- (id)objectAtIndex:(NSUInteger)index;
@end

@interface NSMutableArray : NSArray
+ (id)array;
- (void)addObject:(id)object;
@end

@interface NSAutoreleasePool : NSObject
@end

@interface NSProcessInfo : NSObject
+ (NSProcessInfo *)processInfo;
- (NSString *)operatingSystemVersionString;
@end

#endif
